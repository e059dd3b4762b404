// Package fakegithub stands in for the part of GitHub's REST API that ciwatch uses: workflow runs with pages, ETags, rate
// limits and every way in which GitHub says no. Tests and the demo of mlsdmctl use it.
package fakegithub

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say which repository there is. The zero value is neuron7x/mlsdm with the workflow CI in ci.yml on main.
type Options struct {
	// Repository is "owner/name".
	Repository string
	// Workflow is the file name of the only workflow, WorkflowName its name and WorkflowID its id.
	Workflow     string
	WorkflowName string
	WorkflowID   int64
	// Branch is the default branch, and that of new runs.
	Branch string
	// Token, when it is not empty, is the bearer token that each request must carry.
	Token string
	// Templates are workflow_run objects as GitHub sends them; runs take turns in looking like them. Without any, runs
	// look like one that was written for this package. See [LoadTemplates].
	Templates []json.RawMessage
	// Now is the clock; [time.Now] without one.
	Now func() time.Time
}

// Server is an [http.Handler] that answers as GitHub would. It is safe for concurrent use.
type Server struct {
	opts      Options
	templates []map[string]any
	embedded  bool

	mu          sync.Mutex
	runs        []Run // the oldest first
	lastNumber  int
	failures    []Failure
	remaining   int
	requests    int
	notModified int
	lastPath    string
}

// rateLimit is what an authorized client gets in an hour.
const rateLimit = 5000

// New returns a server without runs. Its error says which template is no JSON object.
func New(opts Options) (*Server, error) {
	s := &Server{opts: opts, remaining: rateLimit}
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
	return s, nil
}

// Embedded reports whether runs look like the one that was written for this package, and not like real ones.
func (s *Server) Embedded() bool { return s.embedded }

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
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.lastPath = r.URL.RequestURI()
	s.rateHeaders(w.Header(), s.remaining)
	if failure, ok := s.nextFailure(); ok {
		s.fail(w, failure)
		return
	}
	switch path, below := strings.CutPrefix(strings.TrimPrefix(r.URL.Path, "/api/v3"), "/repos/"+s.opts.Repository); {
	case s.opts.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.opts.Token:
		refuse(w, http.StatusUnauthorized, "Bad credentials")
	case r.Method != http.MethodGet:
		refuse(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	case below && path == "":
		s.answer(w, r, s.repository(901, s.opts.Repository))
	case below && path == "/actions/runs":
		s.list(w, r, 0)
	case below && (path == "/actions/workflows/"+s.opts.Workflow+"/runs" || path == fmt.Sprintf("/actions/workflows/%d/runs", s.opts.WorkflowID)):
		s.list(w, r, s.opts.WorkflowID)
	default:
		refuse(w, http.StatusNotFound, "Not Found")
	}
}

// list answers with a page of runs, the newest first.
func (s *Server) list(w http.ResponseWriter, r *http.Request, workflowID int64) {
	query := r.URL.Query()
	var objects []map[string]any
	for _, run := range slices.Backward(s.runs) {
		if (workflowID == 0 || run.WorkflowID == workflowID) && matches(query.Get("branch"), run.Branch) &&
			matches(query.Get("status"), run.Status, run.Conclusion) {
			objects = append(objects, s.object(run))
		}
	}
	size := min(max(number(query.Get("per_page"), 30), 1), 100)
	page := max(number(query.Get("page"), 1), 1)
	from := min((page-1)*size, len(objects))
	to := min(from+size, len(objects))
	if to < len(objects) {
		w.Header().Set("Link", link(r, page+1, "next")+", "+link(r, (len(objects)+size-1)/size, "last"))
	}
	s.answer(w, r, map[string]any{"total_count": len(objects), "workflow_runs": slices.Concat([]map[string]any{}, objects[from:to])})
}

// answer writes a body with its ETag, or 304 when the client has it; only the former counts against the rate limit.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	sum := sha256.Sum256(append([]byte(r.Header.Get("Authorization")), data...)) // GitHub's too depends on the token
	etag := `W/"` + hex.EncodeToString(sum[:]) + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		s.notModified++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.remaining = max(s.remaining-1, 1)
	s.rateHeaders(w.Header(), s.remaining)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(data)
}

// rateHeaders says how many requests are left of the hour.
func (s *Server) rateHeaders(h http.Header, remaining int) {
	h.Set("X-Ratelimit-Limit", strconv.Itoa(rateLimit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(s.opts.Now().Add(time.Hour).Unix(), 10))
}

// link is one entry of a Link header.
func link(r *http.Request, page int, rel string) string {
	query := r.URL.Query()
	query.Set("page", strconv.Itoa(page))
	u := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: query.Encode()}
	return fmt.Sprintf("<%s>; rel=%q", u.String(), rel)
}

// matches reports whether a filter is empty or one of the values.
func matches(filter string, values ...string) bool {
	return filter == "" || slices.Contains(values, filter)
}

// number reads a query parameter.
func number(s string, fallback int) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fallback
	}
	return n
}

// refuse writes an error as GitHub does.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q,"documentation_url":"https://docs.github.com/rest"}`, message)
}
