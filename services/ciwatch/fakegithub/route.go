package fakegithub

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// route answers what is asked for below a path, of which each segment is still escaped.
func (s *Server) route(w http.ResponseWriter, r *http.Request, path []string, body []byte, account *account) {
	switch {
	case len(path) >= 3 && path[0] == "repos":
		name := path[1] + "/" + path[2]
		repository := s.repositories[strings.ToLower(name)]
		switch {
		case repository == nil || !account.sees(repository.name):
			refuse(w, http.StatusNotFound, "Not Found")
		case !strings.EqualFold(repository.name, name):
			s.redirect(w, r, repository, path[3:])
		default:
			s.routeRepository(w, r, repository, path[3:], body)
		}
	case len(path) >= 2 && path[0] == "repositories":
		id, err := strconv.ParseInt(path[1], 10, 64)
		repository := s.byID[id]
		if err != nil || repository == nil || !account.sees(repository.name) {
			refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		s.routeRepository(w, r, repository, path[2:], body)
	case len(path) == 3 && (path[0] == "orgs" || path[0] == "users") && path[2] == "repos" && r.Method == http.MethodGet:
		s.listRepositories(w, r, path[1], path[0] == "users", account)
	default:
		refuse(w, http.StatusNotFound, "Not Found")
	}
}

// redirect sends to where a renamed repository is now.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, repository *repository, below []string) {
	to := url.URL{Scheme: "http", Host: r.Host, RawQuery: r.URL.RawQuery}
	if r.TLS != nil || r.URL.Scheme == "https" {
		to.Scheme = "https"
	}
	prefix := ""
	if strings.HasPrefix(r.URL.Path, "/api/v3/") {
		prefix = "/api/v3"
	}
	to.Path = strings.TrimSuffix(prefix+"/repositories/"+strconv.FormatInt(repository.id, 10)+"/"+strings.Join(below, "/"), "/")
	s.spend(w, r, s.account(r))
	w.Header().Set("Location", to.String())
	status := http.StatusMovedPermanently
	if r.Method != http.MethodGet {
		status = http.StatusTemporaryRedirect
	}
	refuse(w, status, "Moved Permanently")
}

// routeRepository answers what is asked for below a repository.
func (s *Server) routeRepository(w http.ResponseWriter, r *http.Request, repository *repository, path []string, body []byte) {
	get := r.Method == http.MethodGet
	switch {
	case len(path) == 0 && get:
		s.answer(w, r, repository, s.repositoryObject(repository.id, repository.name))
		return
	case len(path) < 2 || path[0] != "actions":
	case len(path) == 2 && path[1] == "runs" && get:
		s.listRuns(w, r, repository, "")
		return
	case len(path) == 4 && path[1] == "workflows" && s.isWorkflow(repository, path[2]):
		if path[3] == "runs" && get {
			s.listRuns(w, r, repository, path[2])
			return
		}
		if path[3] == "dispatches" && r.Method == http.MethodPost {
			s.dispatch(w, r, repository, path[2], body)
			return
		}
	case len(path) >= 3 && path[1] == "runs":
		if run := repository.run(path[2]); run != nil {
			s.routeRun(w, r, repository, run, path[3:])
			return
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

// routeRun answers what is asked for below a run.
func (s *Server) routeRun(w http.ResponseWriter, r *http.Request, repository *repository, run *Run, path []string) {
	get, post := r.Method == http.MethodGet, r.Method == http.MethodPost
	switch {
	case len(path) == 0 && get:
		s.answer(w, r, repository, s.object(*run))
	case len(path) == 3 && path[0] == "attempts" && path[2] == "jobs" && get:
		s.listJobs(w, r, repository, run, number(path[1], 0))
	case len(path) == 1 && path[0] == "rerun" && post:
		s.rerun(w, r, repository, run, false)
	case len(path) == 1 && path[0] == "rerun-failed-jobs" && post:
		s.rerun(w, r, repository, run, true)
	default:
		refuse(w, http.StatusNotFound, "Not Found")
	}
}
