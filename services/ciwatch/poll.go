package ciwatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
	tracker "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldtracker"
)

const (
	maxPages     = 10 // of 30 runs, to catch up after a time without a ciwatch
	maxConflicts = 20 // lost races for one workflow in one poll
)

// seen is a workflow's state as it was last read or written.
type seen struct {
	state    tracker.State
	revision uint64 // 0 when the bucket has none
}

// poll lists the completed runs and counts those that are new, workflow by workflow. A workflow that fails does not hold
// up the others.
func (s *Service) poll(ctx context.Context) (forge.Quota, error) {
	kv, err := s.bus.KV(ctx, events.BucketCI)
	if err != nil {
		return forge.Quota{}, err
	}
	runs, quota, err := s.list(ctx, kv)
	if err != nil {
		return quota, err
	}
	if len(runs) == 0 && len(s.known) == 0 && !s.toldEmpty {
		s.toldEmpty = true
		s.log.WarnContext(ctx, "GitHub lists no completed runs; if there are some, check CI_BRANCH and CI_WORKFLOW",
			"subject", s.cfg.Repository, "workflow", s.cfg.Workflow, "branch", s.cfg.Branch)
	}
	var errs []error
	for key, runs := range s.byWorkflow(runs) {
		if err := s.count(ctx, kv, key, runs); err != nil {
			errs = append(errs, err)
		}
	}
	return quota, errors.Join(errs...)
}

// list fetches the first page, which is where reruns show too, and older ones until a page ends with a run that was
// counted before. A workflow that was never seen is not followed into its past.
func (s *Service) list(ctx context.Context, kv *bus.KV) ([]forge.Run, forge.Quota, error) {
	var (
		runs  []forge.Run
		quota forge.Quota
	)
	for number := 1; ; number++ {
		page, err := s.source.CompletedRuns(ctx, number)
		if err != nil {
			return nil, quota, err
		}
		if page.Skipped > 0 {
			s.log.WarnContext(ctx, "GitHub lists entries that are no completed runs", "provider", "github", "count", page.Skipped)
		}
		quota = page.Quota
		runs = append(runs, page.Runs...)
		older, err := s.wantsOlder(ctx, kv, page.Runs)
		switch {
		case err != nil:
			return nil, quota, err
		case !page.More || !older:
			return runs, quota, nil
		case number == maxPages:
			s.log.WarnContext(ctx, "too many new runs; the oldest are not counted", "subject", s.cfg.Repository, "count", len(runs))
			return runs, quota, nil
		}
	}
}

// wantsOlder reports whether the oldest run of the page of a known workflow is news.
func (s *Service) wantsOlder(ctx context.Context, kv *bus.KV, page []forge.Run) (bool, error) {
	for key, runs := range s.byWorkflow(page) {
		known, err := s.recall(ctx, kv, key, runs)
		if err != nil {
			return false, err
		}
		if known.revision > 0 && !known.state.Seen(runs[0]) {
			return true, nil
		}
	}
	return false, nil
}

// byWorkflow groups runs by the key of their workflow, each group from old to new.
func (s *Service) byWorkflow(runs []forge.Run) map[string][]forge.Run {
	groups := map[string][]forge.Run{}
	for _, run := range runs {
		key := stateKey(s.cfg.Repository, run)
		groups[key] = append(groups[key], run)
	}
	for _, group := range groups {
		slices.SortStableFunc(group, tracker.Compare)
	}
	return groups
}

// recall returns what is known of a workflow: from memory when that has all of runs, otherwise from the bucket, since
// another replica may have been faster.
func (s *Service) recall(ctx context.Context, kv *bus.KV, key string, runs []forge.Run) (seen, error) {
	known, ok := s.known[key]
	if ok && !slices.ContainsFunc(runs, func(run forge.Run) bool { return !known.state.Seen(run) }) {
		return known, nil
	}
	value, revision, err := kv.Get(ctx, key)
	if errors.Is(err, bus.ErrNotFound) {
		delete(s.known, key)
		return seen{}, nil
	}
	if err != nil {
		return seen{}, err
	}
	state, err := tracker.Decode(value)
	if err != nil {
		return seen{}, events.Errorf(events.CodeFailedPrecondition, "KV key %s: %w; delete it to start anew", key, err)
	}
	known = seen{state: state, revision: revision}
	s.remember(key, known)
	return known, nil
}

// count observes the runs of one workflow, from old to new. When another replica writes the state in between, it starts
// again from that state.
func (s *Service) count(ctx context.Context, kv *bus.KV, key string, runs []forge.Run) error {
	for range maxConflicts {
		known, err := s.recall(ctx, kv, key, runs)
		if err != nil {
			return err
		}
		err = s.observe(ctx, kv, key, known, runs)
		if !errors.Is(err, bus.ErrConflict) {
			return err
		}
		delete(s.known, key)
	}
	return events.Errorf(events.CodeUnavailable, "another ciwatch is always faster at writing KV key %s", key)
}

// observe counts the runs that are new. The events of a run are stored before the state that knows the run: what a crash
// in between repeats has the same ids.
func (s *Service) observe(ctx context.Context, kv *bus.KV, key string, known seen, runs []forge.Run) error {
	if known.revision == 0 {
		known.state, runs = tracker.Start(s.cfg.Repository, runs, s.since)
		if len(known.state.Runs) > 0 {
			if err := s.write(ctx, kv, key, &known, known.state); err != nil {
				return err
			}
		}
	}
	for _, run := range runs {
		if known.state.Seen(run) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		next, out := known.state.Observe(run, s.cfg.rules(), time.Now())
		work := context.WithoutCancel(ctx) // a run that was begun is finished; each step below has its own time limit
		for _, event := range out {
			if err := s.publish(work, event); err != nil {
				return err
			}
		}
		if err := s.write(work, kv, key, &known, next); err != nil {
			return err
		}
		s.metrics.counted(run.Conclusion)
		s.log.InfoContext(ctx, "run counted", "subject", s.cfg.Repository, "workflow", run.Workflow, "branch", run.Branch, "run_id", run.ID,
			"attempt", run.Attempt, "conclusion", run.Conclusion, "consecutive_failures", next.ConsecutiveFailures())
	}
	return nil
}

// write stores a state in the place of known, and makes it the known one.
func (s *Service) write(ctx context.Context, kv *bus.KV, key string, known *seen, state tracker.State) error {
	value, err := state.Encode()
	if err != nil {
		return fmt.Errorf("writing the state of %s as JSON: %w", key, err)
	}
	var revision uint64
	if known.revision == 0 {
		revision, err = kv.Create(ctx, key, value)
	} else {
		revision, err = kv.Update(ctx, key, value, known.revision)
	}
	if err != nil {
		return err
	}
	*known = seen{state: state, revision: revision}
	s.remember(key, *known)
	return nil
}

// remember keeps a state in memory and shows it in the metrics.
func (s *Service) remember(key string, known seen) {
	s.known[key] = known
	degraded := 0.0
	if known.state.Degraded != nil {
		degraded = 1
	}
	s.metrics.streak.WithLabelValues(known.state.Workflow, known.state.Branch).Set(float64(known.state.ConsecutiveFailures()))
	s.metrics.degraded.WithLabelValues(known.state.Workflow, known.state.Branch).Set(degraded)
}

// publish stores one event.
func (s *Service) publish(ctx context.Context, event tracker.Event) error {
	ev, err := events.New(Source, event.Payload)
	if err != nil {
		return fmt.Errorf("making the event %s: %w", event.Payload.EventType(), err)
	}
	ev.ID, ev.Time, ev.Subject = event.ID, event.Time, s.cfg.Repository
	ack, err := s.bus.PublishEvent(ctx, ev)
	if err != nil {
		return err
	}
	if !ack.Duplicate {
		s.log.InfoContext(ctx, "event published", "event_id", ev.ID, "event_type", ev.Type, "subject", ev.Subject)
	}
	return nil
}
