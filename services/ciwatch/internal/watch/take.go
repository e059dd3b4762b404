package watch

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/httpspan"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// patience is how long a sighting is tried again that cannot be taken in as it is, such as one of a workflow whose state another version of
// ciwatch has written. Polls find what it told, or nobody does.
const patience = time.Hour

// take takes in one sighting.
func (l *leader) take(ctx context.Context, m *bus.Message) error {
	s, err := decodeSighting(m.Body)
	if err != nil {
		return retry.Permanent(err)
	}
	r := Repository{Forge: s.Forge, Name: s.Repository}
	switch {
	case r.Shard() != l.lease.Shard: // two leaders would write the same state
		return retry.Permanent(events.Errorf(events.CodeInvalidArgument, "a sighting of %s is in part %d; it belongs in %d", r.Name, l.lease.Shard, r.Shard()))
	case !l.watches(r):
		l.log.DebugContext(ctx, "a sighting of a repository that is not watched", "provider", s.Forge, "subject", s.Repository)
		return nil
	}
	err = l.takeSighting(ctx, l.repositories.asKnown(r), s)
	switch code := events.CodeOf(err); {
	case err == nil:
		return nil
	case errors.Is(err, errOvertaken):
		return retry.After(err, time.Second) // by when the other one asks for it
	case code != events.CodeFailedPrecondition && code != events.CodeInvalidArgument:
		return err
	case time.Since(m.Time) < patience:
		return retry.After(err, time.Minute)
	default:
		return retry.Permanent(err)
	}
}

// takeSighting takes in what a sighting tells of a repository.
func (l *leader) takeSighting(ctx context.Context, r Repository, s forge.Sighting) error {
	switch {
	case s.Run != nil:
		s.Run.Repository, s.Run.Trace = r.Name, httpspan.TraceParent(trace.SpanContextFromContext(ctx))
		if err := l.takeBranch(ctx, r, s.DefaultBranch); err != nil {
			return err
		}
		return l.takeRun(ctx, r, *s.Run, s.At)
	case s.Job != nil:
		return l.takeJob(ctx, r, *s.Job)
	case s.Command != nil:
		return l.takeCommand(ctx, r, *s.Command)
	default:
		l.touch(r, time.Now())
		return nil
	}
}

// takeBranch notes a repository's default branch, which a webhook tells too: of one that is never polled, nothing else does.
func (l *leader) takeBranch(ctx context.Context, r Repository, told string) error {
	known := l.view.record(r.recordKey()).Branch
	if told == "" || told == known || !l.cfg.Rules.AsksDefaultBranch() || known != "" && !l.forges[r.Forge].Silent {
		return nil
	}
	return l.report(ctx, r, func(known record) record {
		known.Branch = told
		return known
	})
}

// takeRun notes a run, and has its repository polled when what ended before it should be listed, too.
func (l *leader) takeRun(ctx context.Context, r Repository, run forge.Run, at time.Time) error {
	if _, ok := l.cfg.Rules.For(r.Forge, run, l.view.record(r.recordKey()).Branch); !ok {
		if l.cfg.Rules.AsksDefaultBranch() && l.view.record(r.recordKey()).Branch == "" {
			l.touch(r, time.Now()) // it may be on the default branch, which nobody has asked for yet
		}
		return nil
	}
	_, err := l.change(ctx, stateKey(r.Forge, run), identityOf(r.Forge, run), func(s tracker.State) (tracker.State, []tracker.Event) {
		return s.Note(run, at), nil
	})
	if err != nil {
		return err
	}
	l.touch(r, time.Now().Add(l.cfg.Settle))
	return nil
}

// takeJob notes a job with each state that its run may belong to.
func (l *leader) takeJob(ctx context.Context, r Repository, job forge.Job) error {
	for _, known := range l.view.all() {
		s := known.state
		if known.shard != l.lease.Shard || s.Branch != job.Branch || s.Workflow != job.Workflow || known.repository.id() != r.id() {
			continue
		}
		if _, err := l.change(ctx, known.key, s.Identity, func(s tracker.State) (tracker.State, []tracker.Event) { return s.NoteJob(job), nil }); err != nil {
			return err
		}
	}
	return nil
}
