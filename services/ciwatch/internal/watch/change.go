package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// Source is the CloudEvents source of ciwatch's events.
const Source = "/mlsdm/" + events.ServiceCIWatch

// maxConflicts bounds how often a state is read again because somebody else wrote it: who leads is alone, but for a moment in which two
// may think so.
const maxConflicts = 5

// errOvertaken says that the state was written by a later leader.
var errOvertaken = errors.New("another replica leads this part of the repositories by now")

// edit changes a state and says what is to be published because of that.
type edit func(tracker.State) (tracker.State, []tracker.Event)

// change changes the state at key; identity is whose it is, should it not exist yet. What is published is stored before the state that knows
// of it: what a crash in between repeats has the same ids.
func (l *leader) change(ctx context.Context, key string, identity tracker.Identity, do edit) (tracker.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range maxConflicts {
		known, err := l.recall(ctx, key)
		if err != nil {
			return tracker.State{}, err
		}
		if known.revision == 0 {
			known.state = tracker.New(identity)
		}
		changed, err := l.apply(ctx, key, known, do)
		if !errors.Is(err, bus.ErrConflict) {
			return changed, err
		}
		delete(l.known, key)
	}
	return tracker.State{}, events.Errorf(events.CodeUnavailable, "somebody else is always faster at writing KV key %s", key)
}

// apply makes one attempt at a change.
func (l *leader) apply(ctx context.Context, key string, known stored, do edit) (tracker.State, error) {
	if known.state.Fence > l.lease.Fence || l.left || !l.lease.Valid() {
		return known.state, errOvertaken
	}
	next, out := do(known.state)
	next.Fence = l.lease.Fence
	value, err := next.Encode()
	if err != nil {
		return known.state, fmt.Errorf("writing the state %s as JSON: %w", key, err)
	}
	if len(out) == 0 {
		if before, err := withFence(known.state, l.lease.Fence).Encode(); err == nil && bytes.Equal(before, value) {
			return known.state, nil
		}
	}
	work := context.WithoutCancel(ctx) // what was begun is finished; each step has its own time limit
	for _, event := range out {
		if !l.lease.Valid() {
			return known.state, errOvertaken
		}
		if err := l.publish(work, next.Identity, event); err != nil {
			return known.state, err
		}
	}
	if known.revision == 0 {
		known.revision, err = l.kv.Create(work, key, value)
	} else {
		known.revision, err = l.kv.Update(work, key, value, known.revision)
	}
	if err != nil {
		return known.state, err
	}
	l.planned(key, known.state, next)
	known.state = next
	l.known[key] = known
	l.view.put(key, known)
	return next, nil
}

// withFence is a state under a fence.
func withFence(s tracker.State, fence uint64) tracker.State {
	s.Fence = fence
	return s
}

// reread reads a state from the bucket.
func (l *leader) reread(ctx context.Context, key string) (stored, error) {
	value, revision, err := l.kv.Get(ctx, key)
	if errors.Is(err, bus.ErrNotFound) {
		return stored{}, nil
	}
	if err != nil {
		return stored{}, err
	}
	state, err := tracker.Decode(value)
	if err != nil {
		return stored{}, events.Errorf(events.CodeFailedPrecondition, "KV key %s: %w; delete it to start anew", key, err)
	}
	known := stored{state: state, revision: revision}
	l.known[key] = known
	return known, nil
}

// publish stores one event.
func (l *leader) publish(ctx context.Context, of tracker.Identity, event tracker.Event) error {
	ev, err := events.New(Source, event.Payload)
	if err != nil {
		return fmt.Errorf("making the event %s: %w", event.Payload.EventType(), err)
	}
	ev.ID, ev.Time, ev.Subject = event.ID, event.Time, of.Repository
	ack, err := l.bus.PublishEvent(inTrace(ctx, event.Trace), ev)
	if err != nil {
		return err
	}
	if !ack.Duplicate {
		l.log.InfoContext(ctx, "event published", "event_id", ev.ID, "event_type", ev.Type, "subject", ev.Subject,
			"workflow", of.Workflow, "branch", of.Branch)
	}
	return nil
}

// identityOf is whose state a run belongs to.
func identityOf(forgeName string, run forge.Run) tracker.Identity {
	return tracker.Identity{
		Forge: forgeName, Repository: run.Repository, WorkflowID: run.WorkflowID, Workflow: run.Workflow, File: run.File,
		Branch: run.Branch, PullRequests: run.PullRequest,
	}
}
