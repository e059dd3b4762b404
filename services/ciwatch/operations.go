package ciwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Time limits of the operations. A check may have to catch up.
const (
	statusTimeout  = 10 * time.Second
	checkTimeout   = time.Minute
	recoverTimeout = 30 * time.Second
	checkWorkers   = 8
)

// serve answers requests about CI health.
func (s *Service) serve(ctx context.Context) error {
	return s.bus.Serve(ctx, bus.Service{
		Name: events.MicroName(events.ServiceCIWatch), Version: s.version, Description: "watches CI, tells when it degrades and recovers, and recovers it",
		DrainTimeout: s.drain,
		Operations: []bus.Operation{
			{Name: events.OpCIStatus, Timeout: statusTimeout, Handler: s.answerStatus},
			{Name: events.OpCICheck, Timeout: checkTimeout, Workers: checkWorkers, Handler: s.answerCheck},
			{Name: events.OpCIHistory, Timeout: statusTimeout, Handler: s.answerHistory},
			{Name: events.OpCIRecover, Timeout: recoverTimeout, Workers: checkWorkers, Handler: s.answerRecover},
		},
	})
}

// answerStatus answers with what was seen last.
func (s *Service) answerStatus(ctx context.Context, r *bus.Request) error {
	var req events.CIStatusRequest
	if err := s.accept(r, &req); err != nil {
		return err
	}
	if err := req.Validate(); err != nil {
		return err
	}
	return respond(r)(s.watch.Status(ctx, req))
}

// answerCheck polls, and answers with what was seen or with why nothing was.
func (s *Service) answerCheck(ctx context.Context, r *bus.Request) error {
	var req events.CIStatusRequest
	if err := s.accept(r, &req); err != nil {
		return err
	}
	if err := req.Validate(); err != nil {
		return err
	}
	if err := s.watch.Check(ctx, req); err != nil {
		return err
	}
	return respond(r)(s.watch.Status(ctx, req))
}

// answerHistory answers with what was counted and done.
func (s *Service) answerHistory(ctx context.Context, r *bus.Request) error {
	var req events.CIHistoryRequest
	if err := s.accept(r, &req); err != nil {
		return err
	}
	if err := req.Validate(); err != nil {
		return err
	}
	history, err := s.watch.History(ctx, req)
	if err != nil {
		return err
	}
	return write(r, history)
}

// answerRecover recovers, or says what would be done.
func (s *Service) answerRecover(ctx context.Context, r *bus.Request) error {
	var req events.CIRecoverRequest
	if err := s.accept(r, &req); err != nil {
		return err
	}
	if err := req.Validate(); err != nil {
		return err
	}
	reply, err := s.watch.Recover(ctx, req)
	if err != nil {
		return err
	}
	return write(r, reply)
}

// accept reads a request's body, which may be empty, and checks that there is something to answer about.
func (s *Service) accept(r *bus.Request, into any) error {
	if len(r.Body) > 0 {
		if err := events.DecodeJSON(r.Body, into); err != nil {
			return err
		}
	}
	if s.wanted == 0 {
		return events.Errorf(events.CodeFailedPrecondition, "no repository is configured: set GITHUB_REPOSITORY to owner/name")
	}
	return nil
}

// respond answers with a status, or fails.
func respond(r *bus.Request) func(events.CIStatus, error) error {
	return func(status events.CIStatus, err error) error {
		if err != nil {
			return err
		}
		return write(r, status)
	}
}

// write answers with a body.
func write(r *bus.Request, answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("writing the answer as JSON: %w", err)
	}
	return r.Respond(body)
}
