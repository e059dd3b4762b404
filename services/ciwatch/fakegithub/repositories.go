package fakegithub

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// repository is one with its runs.
type repository struct {
	id       int64
	name     string
	archived bool
	ofUser   bool
	runs     []*Run // the oldest first
	answers  map[string]*answered
}

// changed forgets the answers about it.
func (r *repository) changed() { clear(r.answers) }

// Repository is what varies of a repository.
type Repository struct {
	// Archived is one that nothing runs in any more.
	Archived bool
	// OfUser says that its owner is no organisation.
	OfUser bool
}

// AddRepository adds a repository, "owner/name", without runs.
func (s *Server) AddRepository(name string, edit ...func(*Repository)) {
	var what Repository
	for _, change := range edit {
		change(&what)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	repository := s.repository(name)
	repository.archived, repository.ofUser = what.Archived, what.OfUser
	repository.changed()
}

// Rename gives a repository another name. Who asks for the old one is sent to where it is. It reports whether there is such a
// repository.
func (s *Server) Rename(name, fresh string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	repository, ok := s.repositories[strings.ToLower(name)]
	if !ok {
		return false
	}
	repository.name = fresh
	s.repositories[strings.ToLower(fresh)] = repository
	for _, run := range repository.runs {
		run.Repository = fresh
	}
	repository.changed()
	return true
}

// firstRepositoryID is that of the first repository.
const firstRepositoryID = 901

// repository returns the one of a name, a new one if there is none.
func (s *Server) repository(name string) *repository {
	key := strings.ToLower(name)
	known, ok := s.repositories[key]
	if !ok {
		known = &repository{id: firstRepositoryID + int64(len(s.byID))*2, name: name}
		s.repositories[key], s.byID[known.id] = known, known
	}
	return known
}

// repositoryObject returns a repository as GitHub writes it inside a run, and with its default branch.
func (s *Server) repositoryObject(id int64, fullName string) map[string]any {
	owner, name, _ := strings.Cut(fullName, "/")
	return map[string]any{
		"id": id, "name": name, "full_name": fullName, "private": false, "default_branch": s.opts.Branch,
		"owner": map[string]any{"login": owner, "id": 4100, "type": "User"},
		"url":   "https://api.github.com/repos/" + fullName, "html_url": "https://github.com/" + fullName,
	}
}

// listRepositories answers with a page of an owner's repositories, by name.
func (s *Server) listRepositories(w http.ResponseWriter, r *http.Request, owner string, users bool, account *account) {
	var found []*repository
	known := false
	for _, repository := range s.byID {
		if of, _, _ := strings.Cut(repository.name, "/"); strings.EqualFold(of, owner) && (users || !repository.ofUser) {
			known = true
			if account.sees(repository.name) {
				found = append(found, repository)
			}
		}
	}
	if !known {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	slices.SortFunc(found, func(a, b *repository) int { return strings.Compare(a.name, b.name) })
	from, to := page(w, r, len(found))
	objects := []map[string]any{}
	for _, repository := range found[from:to] {
		object := s.repositoryObject(repository.id, repository.name)
		maps.Copy(object, map[string]any{"archived": repository.archived, "disabled": false, "fork": false})
		objects = append(objects, object)
	}
	s.answer(w, r, &repository{}, objects)
}
