package fakegitlab

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// route answers what is asked for below a path, of which each segment is still escaped.
func (s *Server) route(w http.ResponseWriter, r *http.Request, path []string, body []byte, account *account) {
	if len(path) < 2 {
		refuse(w, http.StatusNotFound, "404 Not Found")
		return
	}
	name, err := url.PathUnescape(path[1])
	if err != nil {
		refuse(w, http.StatusBadRequest, "400 Bad request")
		return
	}
	if (path[0] == "groups" || path[0] == "users") && len(path) == 3 && path[2] == "projects" && r.Method == http.MethodGet {
		s.listProjects(w, r, name, path[0] == "users", account)
		return
	}
	p := s.find(name)
	switch {
	case path[0] != "projects" || p == nil || !account.sees(p.path):
		refuse(w, http.StatusNotFound, "404 Project Not Found")
	case strings.Contains(name, "/") && !strings.EqualFold(name, p.path):
		s.redirect(w, r, p, path[2:])
	case r.Method != http.MethodGet && account.reads:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		w.Write([]byte(`{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api"}`))
	default:
		s.routeProject(w, r, p, path[2:], body)
	}
}

// find returns a project by its id, its path or a former path.
func (s *Server) find(name string) *project {
	if id, err := strconv.ParseInt(name, 10, 64); err == nil {
		return s.byID[id]
	}
	return s.projects[strings.ToLower(name)]
}

// redirect sends to where a renamed project is now. Orders are not sent there.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, p *project, below []string) {
	if r.Method != http.MethodGet {
		refuse(w, http.StatusMethodNotAllowed, "Non GET methods are not allowed for moved projects")
		return
	}
	to := url.URL{Scheme: "http", Host: r.Host, RawQuery: r.URL.RawQuery}
	if r.TLS != nil || r.URL.Scheme == "https" {
		to.Scheme = "https"
	}
	to.Path = strings.TrimSuffix(s.opts.Path+"/api/v4/projects/"+strconv.FormatInt(p.id, 10)+"/"+strings.Join(below, "/"), "/")
	w.Header().Set("Location", to.String())
	refuse(w, http.StatusMovedPermanently, "This resource has been moved permanently to "+to.String())
}

// routeProject answers what is asked for below a project.
func (s *Server) routeProject(w http.ResponseWriter, r *http.Request, p *project, path []string, body []byte) {
	get, post := r.Method == http.MethodGet, r.Method == http.MethodPost
	switch {
	case len(path) == 0 && get:
		s.answer(w, r, http.StatusOK, s.projectObject(p))
		return
	case len(path) == 1 && path[0] == "pipelines" && get:
		s.listPipelines(w, r, p)
		return
	case len(path) == 1 && path[0] == "pipeline" && post:
		s.create(w, r, p, body)
		return
	case len(path) == 2 && path[0] == "merge_requests" && get:
		if mr, ok := s.requestsOf[mergeRequestKey{p.id, int64(number(path[1], 0))}]; ok {
			s.answer(w, r, http.StatusOK, mergeRequestObject(p, mr))
			return
		}
	case len(path) >= 2 && path[0] == "pipelines":
		if pipeline := p.pipeline(path[1]); pipeline != nil {
			s.routePipeline(w, r, p, pipeline, path[2:])
			return
		}
	}
	refuse(w, http.StatusNotFound, "404 Not found")
}

// routePipeline answers what is asked for below a pipeline.
func (s *Server) routePipeline(w http.ResponseWriter, r *http.Request, p *project, pipeline *Pipeline, path []string) {
	get, post := r.Method == http.MethodGet, r.Method == http.MethodPost
	switch {
	case len(path) == 0 && get:
		s.answer(w, r, http.StatusOK, s.pipelineObject(p, *pipeline, true))
	case len(path) == 1 && path[0] == "jobs" && get:
		s.listJobs(w, r, p, pipeline)
	case len(path) == 1 && path[0] == "retry" && post:
		s.retry(w, r, p, pipeline)
	default:
		refuse(w, http.StatusNotFound, "404 Not found")
	}
}
