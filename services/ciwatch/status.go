package ciwatch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	tracker "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldtracker"
)

// Time limits of the operations. A check may have to catch up.
const (
	statusTimeout = 5 * time.Second
	checkTimeout  = time.Minute
)

// view is what the last poll left to be seen by others.
type view struct {
	mu     sync.Mutex
	status events.CIStatus
	err    error // of the last poll
}

// show makes the outcome of a poll what is seen. Who calls it has the turn.
func (s *Service) show(err error) {
	workflows := make([]events.CIWorkflowStatus, 0, len(s.known))
	for _, known := range s.known {
		workflows = append(workflows, workflowStatus(known.state))
	}
	slices.SortFunc(workflows, func(a, b events.CIWorkflowStatus) int {
		return cmp.Or(cmp.Compare(a.Workflow, b.Workflow), cmp.Compare(a.Branch, b.Branch))
	})
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	s.view.err = err
	s.view.status.Repository = s.cfg.Repository
	s.view.status.Workflows = workflows
	if err != nil {
		s.view.status.LastError = events.AsError(err).Error()
		return
	}
	s.view.status.LastError = ""
	s.view.status.LastPollAt = time.Now().UTC()
}

// workflowStatus is a state as others see it.
func workflowStatus(state tracker.State) events.CIWorkflowStatus {
	status := events.CIWorkflowStatus{
		Workflow: state.Workflow, Branch: state.Branch, Health: events.CIHealthy, ConsecutiveFailures: state.ConsecutiveFailures(),
		LastRun: state.LastRun, LastRecoveryAt: state.LastRecoveryAt,
	}
	switch {
	case state.Degraded != nil:
		status.Health, status.DegradedSince = events.CIDegradedHealth, state.Degraded.Since
	case state.LastRun == nil:
		status.Health = events.CIUnknown
	}
	return status
}

// checkHealth says that GitHub could not be asked. Requests are answered all the same, with what was seen last.
func (s *Service) checkHealth(context.Context) error {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	if s.view.err == nil {
		return nil
	}
	return health.Degraded("the last poll failed: %w", events.AsError(s.view.err))
}

// serve answers requests about CI health.
func (s *Service) serve(ctx context.Context) error {
	return s.bus.Serve(ctx, bus.Service{
		Name: events.MicroName(events.ServiceCIWatch), Version: s.version, Description: "watches CI and tells when it degrades and recovers", DrainTimeout: s.drain,
		Operations: []bus.Operation{
			{Name: events.OpCIStatus, Timeout: statusTimeout, Handler: s.answerStatus},
			{Name: events.OpCICheck, Timeout: checkTimeout, Workers: 1, Handler: s.answerCheck},
		},
	})
}

// answerStatus answers with what the last poll saw.
func (s *Service) answerStatus(_ context.Context, r *bus.Request) error {
	if err := s.accept(r); err != nil {
		return err
	}
	return s.respond(r)
}

// answerCheck polls, and answers with what it saw or with why it saw nothing.
func (s *Service) answerCheck(ctx context.Context, r *bus.Request) error {
	if err := s.accept(r); err != nil {
		return err
	}
	if _, err := s.check(ctx); err != nil {
		return err
	}
	return s.respond(r)
}

// accept checks a request's body, of which nothing is asked yet but that it is {} or empty, and that there is an answer.
func (s *Service) accept(r *bus.Request) error {
	if len(r.Body) > 0 {
		var request events.CIStatusRequest
		if err := events.DecodeJSON(r.Body, &request); err != nil {
			return err
		}
	}
	if s.source == nil {
		return events.Errorf(events.CodeFailedPrecondition, "no repository is configured: set GITHUB_REPOSITORY to owner/name")
	}
	return nil
}

// respond answers with the view.
func (s *Service) respond(r *bus.Request) error {
	s.view.mu.Lock()
	status := s.view.status
	s.view.mu.Unlock()
	status.Repository = s.cfg.Repository
	if status.Workflows == nil {
		status.Workflows = []events.CIWorkflowStatus{}
	}
	body, err := json.Marshal(status)
	if err != nil {
		return fmt.Errorf("writing the status as JSON: %w", err)
	}
	return r.Respond(body)
}
