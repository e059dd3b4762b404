// Package fakegithub stands in for the part of GitHub that ciwatch uses: workflow runs and jobs of many repositories with pages,
// ETags and rate limits, runs that are started again, apps and their tokens, webhooks, and every way in which GitHub says no. Tests
// and the demo of mlsdmctl use it.
package fakegithub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/fakeforge"
)

// Options say which repository there is. The zero value is neuron7x/mlsdm with the workflow CI in ci.yml on main.
type Options struct {
	// Repository is "owner/name". More are made by [Server.AddRepository] and [Server.AddRunTo].
	Repository string
	// Workflow is the file name of the usual workflow, WorkflowName its name and WorkflowID its id.
	Workflow     string
	WorkflowName string
	WorkflowID   int64
	// Branch is the default branch, and that of new runs.
	Branch string
	// Token, when it is not empty, is the bearer token that each request must carry. See [Server.SetTokens].
	Token string
	// Anonymous has those answered, too, who carry no token although there are some.
	Anonymous bool
	// RateLimit is how many requests each token has in an hour; who has none has 60. 0 is 5,000, which are never used up. With a
	// limit, writes that follow each other within a second meet the secondary limit, too.
	RateLimit int
	// OtherETags has ETags be made in another way than GitHub makes them; they depend on the token, too.
	OtherETags bool
	// PollInterval becomes the header X-Poll-Interval, in whole seconds.
	PollInterval time.Duration
	// Templates are workflow_run objects as GitHub sends them; runs take turns in looking like them. Without any, runs
	// look like one that was written for this package. See [LoadTemplates].
	Templates []json.RawMessage
	// Now is the clock; [time.Now] without one.
	Now func() time.Time
}

// Server is an [http.Handler] that answers as GitHub would, and an [http.RoundTripper] that needs no network. It is safe for
// concurrent use.
type Server struct {
	fakeforge.Failures[Failure]

	opts      Options
	templates []map[string]any
	embedded  bool

	mu           sync.Mutex
	repositories map[string]*repository // by name in lower case, also by former names
	byID         map[int64]*repository
	runs         []*Run // the oldest first
	jobs         map[attempt][]Job
	whole        map[int64]int // the last attempt of a run in which all of its jobs ran
	grants       map[string]*grant
	closed       bool // there are tokens, so that one is needed
	accounts     map[string]*account
	apps         map[int64]*installed
	orders       []Order
	requests     int
	notModified  int
	tokens       int
	deliveries   int
	lastPath     string
}

// New returns a server without runs. Its error says which template is no JSON object.
func New(opts Options) (*Server, error) {
	s := &Server{
		opts: opts, repositories: map[string]*repository{}, byID: map[int64]*repository{}, jobs: map[attempt][]Job{},
		whole: map[int64]int{}, grants: map[string]*grant{}, accounts: map[string]*account{}, apps: map[int64]*installed{},
	}
	for _, field := range []struct {
		value    *string
		fallback string
	}{
		{&s.opts.Repository, "neuron7x/mlsdm"},
		{&s.opts.Workflow, "ci.yml"},
		{&s.opts.WorkflowName, "CI"},
		{&s.opts.Branch, "main"},
	} {
		if *field.value == "" {
			*field.value = field.fallback
		}
	}
	if s.opts.WorkflowID == 0 {
		s.opts.WorkflowID = 52104
	}
	if s.opts.Now == nil {
		s.opts.Now = time.Now
	}
	templates := opts.Templates
	if len(templates) == 0 {
		s.embedded, templates = true, []json.RawMessage{embeddedTemplate()}
	}
	for i, template := range templates {
		var object map[string]any
		if err := json.Unmarshal(template, &object); err != nil || object == nil {
			return nil, errors.Join(fmt.Errorf("template %d is no JSON object", i), err)
		}
		s.templates = append(s.templates, object)
	}
	s.repository(s.opts.Repository)
	if s.opts.Token != "" {
		s.SetTokens(s.opts.Token)
	}
	return s, nil
}

// Embedded reports whether runs look like the one that was written for this package, and not like real ones.
func (s *Server) Embedded() bool { return s.embedded }

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

// ServeHTTP implements [http.Handler]. Paths may be below /api/v3, as they are on a GitHub Enterprise Server.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20)) // before anybody has to wait for it
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "Payload too large")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.lastPath = r.URL.RequestURI()
	account := s.account(r)
	s.rateHeaders(w.Header(), account)
	if failure, ok := s.NextFailure(r); ok {
		if failure.Done {
			s.serve(fakeforge.Nowhere(), r, body, account)
		}
		s.fail(w, failure)
		return
	}
	s.serve(w, r, body, account)
}

// serve answers a request that nothing was to go wrong with.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, body []byte, account *account) {
	path := strings.Split(strings.TrimPrefix(strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3"), "/"), "/")
	if r.Method == http.MethodPost && len(path) == 4 && path[0] == "app" && path[1] == "installations" && path[3] == "access_tokens" {
		s.installationToken(w, r, path[2])
		return
	}
	if account == nil {
		refuse(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	if !s.allow(w, r, account) {
		return
	}
	s.route(w, r, path, body, account)
}

// refuse writes an error as GitHub does.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q,"documentation_url":"https://docs.github.com/rest"}`, message)
}
