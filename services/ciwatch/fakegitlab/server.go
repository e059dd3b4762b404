// Package fakegitlab stands in for the part of GitLab that ciwatch uses: pipelines and jobs of many projects with pages, ETags and rate
// limits, merge requests, pipelines that are retried or started, webhooks, and every way in which GitLab says no. Tests use it.
package fakegitlab

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/fakeforge"
)

// Options say which project there is. The zero value is neuron7x/mlsdm with the default branch main.
type Options struct {
	// Project is the path of the usual project. More are made by [Server.AddProject] and [Server.AddPipelineTo].
	Project string
	// Branch is the default branch, and that of new pipelines.
	Branch string
	// Token, when it is not empty, is the PRIVATE-TOKEN that sees projects. See [Server.SetTokens].
	Token string
	// RateLimit is how many requests each token has in a window; 0 is no limit, of which no header tells.
	RateLimit int
	// Window is how long a window of the rate limit is; 0 is a minute.
	Window time.Duration
	// Path is what GitLab's own paths are below, as in https://HOST/gitlab; empty is nothing.
	Path string
	// Now is the clock; [time.Now] without one.
	Now func() time.Time
}

// Server is an [http.Handler] that answers as GitLab would, and an [http.RoundTripper] that needs no network. It is safe for
// concurrent use.
type Server struct {
	fakeforge.Failures[Failure]

	opts Options

	mu          sync.Mutex
	projects    map[string]*project // by path in lower case, also by former paths
	byID        map[int64]*project
	pipelines   []*Pipeline // the oldest first
	jobs        map[int64][]Job
	requestsOf  map[mergeRequestKey]MergeRequest
	closed      bool // there are tokens, so that one is needed
	accounts    map[string]*account
	orders      []Order
	requests    int
	notModified int
	deliveries  int
	lastPath    string
}

// New returns a server without pipelines.
func New(opts Options) *Server {
	s := &Server{
		opts: opts, projects: map[string]*project{}, byID: map[int64]*project{}, jobs: map[int64][]Job{},
		requestsOf: map[mergeRequestKey]MergeRequest{}, accounts: map[string]*account{},
	}
	if s.opts.Project == "" {
		s.opts.Project = "neuron7x/mlsdm"
	}
	if s.opts.Branch == "" {
		s.opts.Branch = "main"
	}
	if s.opts.Window == 0 {
		s.opts.Window = time.Minute
	}
	if s.opts.Now == nil {
		s.opts.Now = time.Now
	}
	s.project(s.opts.Project)
	if opts.Token != "" {
		s.SetTokens(opts.Token)
	}
	return s
}

// RoundTrip implements [http.RoundTripper]: it answers without a network, so that time may be made up.
func (s *Server) RoundTrip(req *http.Request) (*http.Response, error) {
	return fakeforge.RoundTrip(s, req)
}

// Requests returns how many requests were answered, and how many of them with 304.
func (s *Server) Requests() (all, notModified int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.notModified
}

// LastPath returns the path and the query of the last request.
func (s *Server) LastPath() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastPath
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20)) // before anybody has to wait for it
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "413 Request Entity Too Large")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.lastPath = r.URL.RequestURI()
	if failure, ok := s.NextFailure(r); ok {
		if failure.Done {
			s.serve(fakeforge.Nowhere(), r, body)
		}
		s.fail(w, failure)
		return
	}
	s.serve(w, r, body)
}

// serve answers a request that nothing was to go wrong with.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	account := s.account(r)
	if account == nil {
		refuse(w, http.StatusUnauthorized, "401 Unauthorized")
		return
	}
	if !s.allow(w, account) {
		return
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), s.opts.Path+"/api/v4/")
	if !ok {
		refuse(w, http.StatusNotFound, "404 Not Found")
		return
	}
	s.route(w, r, strings.Split(path, "/"), body, account)
}

// refuse writes an error as GitLab does.
func refuse(w http.ResponseWriter, status int, message any) {
	body, err := json.Marshal(map[string]any{"message": message})
	if err != nil {
		body = []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}

// now is the time as GitLab knows it.
func (s *Server) now() time.Time { return s.opts.Now().UTC().Truncate(time.Millisecond) }

// site is where GitLab's pages are.
func (s *Server) site() string { return fmt.Sprintf("https://gitlab.example%s/", s.opts.Path) }
