package fakegithub

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// What GitHub does with a run that is too old, or was run again too often.
const (
	maxAge      = 30 * 24 * time.Hour
	maxAttempts = 51 // the first, and 50 more
)

// Order is something that GitHub was told to do.
type Order struct {
	// Kind is "rerun", "rerun-failed-jobs" or "dispatch".
	Kind       string
	Repository string
	// RunID is the run that is started again, or the one that was started; Attempt is the attempt that comes of it.
	RunID   int64
	Attempt int
	// Workflow, Ref and Inputs are those of a dispatch.
	Workflow string
	Ref      string
	Inputs   map[string]string
	// Status is what was answered: 201 and 204 say that it was done.
	Status int
	At     time.Time
}

// Orders returns what the server was told to do, whether it did it or not.
func (s *Server) Orders() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.orders)
}

// rerun starts a run again. It is queued, until [Server.Finish].
func (s *Server) rerun(w http.ResponseWriter, r *http.Request, repository *repository, run *Run, failedOnly bool) {
	order := Order{Kind: "rerun", Repository: repository.name, RunID: run.ID, Status: http.StatusForbidden, At: s.opts.Now()}
	if failedOnly {
		order.Kind = "rerun-failed-jobs"
	}
	s.spend(w, r, s.account(r))
	defer func() { s.orders = append(s.orders, order) }()
	switch {
	case run.Status != completed:
		refuse(w, order.Status, "This workflow is already running")
		return
	case s.opts.Now().Sub(run.CreatedAt) > maxAge:
		refuse(w, order.Status, "Unable to retry this workflow run because it was created over a month ago")
		return
	case run.Attempt >= maxAttempts:
		refuse(w, order.Status, "Unable to retry this workflow run because it was retried too many times")
		return
	case failedOnly && run.Conclusion == "success":
		refuse(w, order.Status, "There are no failed jobs to retry")
		return
	}
	run.Attempt++
	run.Status, run.Conclusion = "queued", ""
	run.StartedAt, run.UpdatedAt = s.now(), s.now()
	if !failedOnly {
		s.whole[run.ID] = run.Attempt
	}
	repository.changed()
	order.Status, order.Attempt = http.StatusCreated, run.Attempt
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(order.Status)
	w.Write([]byte("{}"))
}

// dispatch starts a workflow. Its run is queued, until [Server.Finish].
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, repository *repository, workflow string, body []byte) {
	var asked struct {
		Ref    string            `json:"ref"`
		Inputs map[string]string `json:"inputs"`
	}
	order := Order{Kind: "dispatch", Repository: repository.name, Workflow: workflow, Status: http.StatusUnprocessableEntity, At: s.opts.Now()}
	s.spend(w, r, s.account(r))
	defer func() { s.orders = append(s.orders, order) }()
	if err := json.Unmarshal(body, &asked); err != nil || asked.Ref == "" || len(asked.Inputs) > 25 {
		refuse(w, order.Status, "Invalid request.")
		return
	}
	order.Ref, order.Inputs = asked.Ref, asked.Inputs
	run := s.next(repository)
	run.Event, run.Branch, run.Status = "workflow_dispatch", asked.Ref, "queued"
	run.CreatedAt, run.StartedAt, run.UpdatedAt = s.now(), s.now(), s.now()
	run = s.add(run)
	order.RunID, order.Attempt, order.Status = run.ID, run.Attempt, http.StatusNoContent
	w.WriteHeader(order.Status)
}
