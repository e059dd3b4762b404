package secretd

import (
	"context"
	"errors"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/audit"
)

// access is one request, from its arrival to its record.
type access struct {
	target target
	given  answer
	record events.SecretAccess
}

// handle answers one request and writes down that it was made, by whom, and what came of it. The record holds the hash of the name
// once it is known to be one: anything may stand in its place, even a value.
func (s *Service) handle(ctx context.Context, r *bus.Request, operation string, do func(ctx context.Context, r *bus.Request, a *access) error) error {
	a := access{record: events.SecretAccess{Time: r.Arrived().UTC(), Caller: r.Caller, Operation: operation}}
	err := errors.New("the handler panicked") // what is recorded of one that does
	defer func() {
		a.given.Value.Wipe() // it has been sealed, or was not asked for
		s.write(ctx, r, &a, err)
	}()
	err = do(ctx, r, &a)
	return err
}

// write writes down what came of a request.
func (s *Service) write(ctx context.Context, r *bus.Request, a *access, err error) {
	a.record.Outcome = audit.Given
	if err != nil {
		a.record.Outcome = string(events.CodeOf(err))
	} else {
		a.record.Source, a.record.Version, a.record.Stale = a.given.Source, a.given.Version, a.given.Stale
	}
	if a.target.text != "" {
		a.record.NameHash = s.audit.Hash(a.target.text)
	}
	a.record.LatencyMS = float64(time.Since(r.Arrived()).Microseconds()) / float64(time.Millisecond/time.Microsecond)
	s.audit.Record(a.record)
	s.metrics.requests.WithLabelValues(a.record.Operation, a.record.Outcome).Inc()
	if err != nil {
		s.failing.log(ctx, *a, err)
	}
}
