// Package emergency is how a process goes down that must: it says so by system.emergency_shutdown, and then it ends.
//
// The event is written to a file first (see [Spool]), and the file is removed when the stream has the event. So it is told of even when
// JetStream is slow or away, and when the system kills the process meanwhile: the next start of the service publishes what it finds. The
// id of the event is made of the names of the service and of the replica, so that it is stored once.
package emergency

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// patience is how long the stream is given to take the event.
const patience = 3 * time.Second

// Publish stores an event on the stream.
type Publish func(ctx context.Context, ev events.Event) error

// Options are what a line needs; all are required.
type Options struct {
	// Service and Instance name the replica.
	Service, Instance string
	Publish           Publish
	Spool             *Spool
	Log               *slog.Logger
	// End ends the process with an error, whose exit status is [lifecycle.ExitEmergency]. It must not block.
	End func(err error)
}

// Line is the way out of one replica. Make one with [New]. It is safe for concurrent use.
type Line struct {
	Options

	mu        sync.Mutex
	announced *Announced
}

// Announced says what became of the event.
type Announced struct {
	EventID string
	Reason  string
	// Stored says that the stream has it; else it is in the spool, or in the log when that failed too.
	Stored bool
}

// New returns the way out of a replica.
func New(o Options) *Line { return &Line{Options: o} }

// Announce publishes the event, or leaves it in the spool; it takes a few seconds at most. A process goes down once: a second call
// returns what became of the first. The names of the service and of the replica are filled in.
func (l *Line) Announce(ctx context.Context, why events.SystemEmergencyShutdown) (Announced, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.announced != nil {
		return *l.announced, nil
	}
	why.Service, why.Instance = l.Service, l.Instance
	ev, err := events.New(Source(l.Service), why)
	if err != nil {
		return Announced{}, err
	}
	ev.ID, ev.Subject = idPrefix+l.Service+"-"+l.Instance, l.Service
	if err := ev.Validate(); err != nil {
		return Announced{}, err
	}
	ctx = context.WithoutCancel(ctx) // whatever else ends now, this is still said
	l.Log.ErrorContext(ctx, "emergency shutdown", "reason", why.Reason, "event_id", ev.ID)
	l.announced = &Announced{EventID: ev.ID, Reason: why.Reason, Stored: l.store(ctx, ev)}
	return *l.announced, nil
}

// store stores an event on the stream, or in the spool. It reports whether the stream has it.
func (l *Line) store(ctx context.Context, ev events.Event) bool {
	spooled := l.Spool.put(ev)
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	published := l.Publish(bounded, ev)
	switch {
	case published == nil && spooled == nil:
		if err := l.Spool.remove(ev.ID); err != nil {
			l.Log.WarnContext(ctx, "an event that is stored stays in the spool; the next start will find that out", "event_id", ev.ID, "err", err)
		}
	case published == nil:
	case spooled == nil:
		l.Log.WarnContext(ctx, "the stream has not taken the event; the next start publishes it from the spool", "event_id", ev.ID, "err", published)
	default:
		l.Log.ErrorContext(ctx, "neither the stream nor the spool has taken the event; this line is all that is left of it", "event_id", ev.ID,
			"data", string(ev.Data), "err", published, "spool_err", spooled)
	}
	return published == nil
}

// End ends the process, if an event was announced.
func (l *Line) End() {
	l.mu.Lock()
	announced := l.announced
	l.mu.Unlock()
	if announced != nil {
		l.Options.End(&lifecycle.EmergencyError{Reason: announced.Reason})
	}
}

// Replay publishes what former replicas of the service have left in the spool, under the ids that it had, until all is stored or ctx
// ends.
func (l *Line) Replay(ctx context.Context) {
	tick := time.NewTicker(replayEvery)
	defer tick.Stop()
	for {
		left, err := l.replay(ctx)
		if err != nil {
			l.Log.WarnContext(ctx, "events that were spooled are not published yet", "err", err)
		}
		if left == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// replayEvery is how often events that could not be stored are tried again.
const replayEvery = 10 * time.Second

// replay publishes what is in the spool once. It returns how many events are still there to be published: one that cannot be keeps no
// other back.
func (l *Line) replay(ctx context.Context) (left int, err error) {
	names, err := l.Spool.list(l.Service)
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, name := range names {
		ev, err := l.Spool.read(name, l.Service)
		if err != nil {
			l.Log.WarnContext(ctx, "a file in the spool is none of ours; it stays there", "file", name, "err", err)
			continue
		}
		if err := l.Publish(ctx, ev); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", ev.ID, err))
			continue
		}
		if err := l.Spool.remove(ev.ID); err != nil {
			failed = append(failed, err)
			continue
		}
		l.Log.InfoContext(ctx, "the emergency shutdown of a former replica is on the stream now", "event_id", ev.ID)
	}
	return len(failed), errors.Join(failed...)
}

// Source is the source of the events of a service.
func Source(service string) string { return "/mlsdm/" + service }
