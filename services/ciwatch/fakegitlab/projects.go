package fakegitlab

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// project is one with its pipelines.
type project struct {
	id        int64
	path      string
	archived  bool
	ofUser    bool
	empty     bool
	pipelines []*Pipeline // the oldest first
}

// pipeline returns the pipeline of an id, as a path has it, or nil.
func (p *project) pipeline(id string) *Pipeline {
	for _, pipeline := range p.pipelines {
		if strconv.FormatInt(pipeline.ID, 10) == id {
			return pipeline
		}
	}
	return nil
}

// Project is what varies of a project.
type Project struct {
	// Archived is one that nothing runs in any more.
	Archived bool
	// OfUser says that its owner is no group.
	OfUser bool
	// Empty is one without commits, and so without a default branch.
	Empty bool
}

// AddProject adds a project, "group/sub/project", without pipelines, and returns its id.
func (s *Server) AddProject(path string, edit ...func(*Project)) int64 {
	var what Project
	for _, change := range edit {
		change(&what)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(path)
	p.archived, p.ofUser, p.empty = what.Archived, what.OfUser, what.Empty
	return p.id
}

// Rename gives a project another path. Who asks for the old one is sent to where it is. It reports whether there is such a project.
func (s *Server) Rename(path, fresh string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.projects[strings.ToLower(path)]
	if !ok {
		return false
	}
	p.path = fresh
	s.projects[strings.ToLower(fresh)] = p
	for _, pipeline := range p.pipelines {
		pipeline.Project = fresh
	}
	return true
}

// firstProjectID is that of the first project.
const firstProjectID = 4201

// project returns the one of a path, a new one if there is none.
func (s *Server) project(path string) *project {
	key := strings.ToLower(path)
	known, ok := s.projects[key]
	if !ok {
		known = &project{id: firstProjectID + int64(len(s.byID)), path: path}
		s.projects[key], s.byID[known.id] = known, known
	}
	return known
}

// projectObject returns a project as GitLab writes it.
func (s *Server) projectObject(p *project) map[string]any {
	object := map[string]any{
		"id": p.id, "name": p.path[strings.LastIndex(p.path, "/")+1:], "path_with_namespace": p.path, "archived": p.archived,
		"default_branch": s.opts.Branch, "web_url": s.site() + p.path, "visibility": "private",
	}
	if p.empty {
		object["default_branch"] = nil
	}
	return object
}

// listProjects answers with a page of an owner's projects, by id.
func (s *Server) listProjects(w http.ResponseWriter, r *http.Request, owner string, users bool, account *account) {
	var found []*project
	known := false
	query := r.URL.Query()
	for _, p := range s.byID {
		group := p.path[:strings.LastIndex(p.path, "/")]
		below := strings.EqualFold(group, owner) ||
			query.Get("include_subgroups") == "true" && strings.HasPrefix(strings.ToLower(group), strings.ToLower(owner)+"/")
		if !below || users != p.ofUser {
			continue
		}
		known = known || account.sees(p.path)
		if account.sees(p.path) && (query.Get("archived") == "" || query.Get("archived") == strconv.FormatBool(p.archived)) {
			found = append(found, p)
		}
	}
	if !known {
		refuse(w, http.StatusNotFound, "404 Group Not Found")
		return
	}
	slices.SortFunc(found, func(a, b *project) int { return int(a.id - b.id) })
	from, to := page(w, r, len(found))
	objects := []map[string]any{}
	for _, p := range found[from:to] {
		objects = append(objects, s.projectObject(p))
	}
	s.answer(w, r, http.StatusOK, objects)
}
