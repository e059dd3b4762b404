package dispatcher

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

const (
	// catchUpFor is how old a change of an endpoint may be to be caught up with: longer than the news of one takes. What makes it
	// harmless to route an event again is that the deliveries stream knows duplicates, and a server that was killed does not any
	// more: a longer time would have more webhooks come twice then.
	catchUpFor = 5 * time.Second
	// catchUpAgain is after what time it is looked once more: for what was routed by a replica that died before it looked itself.
	catchUpAgain = 2 * time.Second
	// catchUpPage is how many deliveries are stored at a time, and catchUpBytes how many bytes of them.
	catchUpPage, catchUpBytes = 256, 8 << 20
	// catchUpRetry is the pause after the bus has refused.
	catchUpRetry = time.Second
)

// missed is the endpoints whose changes this replica has just heard of. An event that was stored after the change, and routed
// before the news of it came, here or by a replica that died then, knows nothing of it: whoever creates an endpoint, hears that
// it is there, and publishes at once, must not lose that event.
type missed struct {
	wake  chan struct{}
	young time.Duration // how old a change may be

	mu    sync.Mutex
	since map[string]time.Time // when the change was stored, by id of the endpoint
}

func newMissed() *missed {
	return &missed{wake: make(chan struct{}, 1), young: catchUpFor, since: make(map[string]time.Time)}
}

// add notes an endpoint whose change was stored at a time and counts from now on.
func (m *missed) add(id string, stored time.Time) {
	if time.Since(stored) <= m.young {
		m.put(map[string]time.Time{id: stored})
	}
}

// put notes endpoints, by when their changes were stored.
func (m *missed) put(since map[string]time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, stored := range since {
		if at, ok := m.since[id]; !ok || stored.Before(at) {
			m.since[id] = stored
		}
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// lookAgain notes, after a while and once, endpoints that were caught up with as soon as their changes were heard of.
func (m *missed) lookAgain(since map[string]time.Time) {
	maps.DeleteFunc(since, func(_ string, stored time.Time) bool { return time.Since(stored) > catchUpAgain })
	if len(since) > 0 {
		time.AfterFunc(catchUpAgain, func() { m.put(since) })
	}
}

// take returns what was noted, and forgets it.
func (m *missed) take() map[string]time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := m.since
	m.since = make(map[string]time.Time)
	return taken
}

// catchUp routes to endpoints that were changed what they may have missed, until ctx ends.
func (s *Service) catchUp(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.missed.wake:
		}
		since := s.missed.take()
		err := s.routeAgain(ctx, since)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // to be told to stop is no failure
		}
		if err == nil {
			s.missed.lookAgain(since)
			continue
		}
		s.log.WarnContext(ctx, "events since endpoints were changed could not be routed to them; trying again", "endpoints", len(since), "err", err)
		s.missed.put(since)
		select {
		case <-ctx.Done():
		case <-time.After(catchUpRetry):
		}
	}
}

// routeAgain routes the events that were stored since times to the endpoints of these times. What was routed before is
// recognised by its id.
func (s *Service) routeAgain(ctx context.Context, since map[string]time.Time) error {
	first := time.Now()
	for stored := range maps.Values(since) {
		if stored.Before(first) {
			first = stored
		}
	}
	var page []bus.Msg
	size := 0
	store := func() error {
		err := s.bus.PublishAll(ctx, page)
		page, size = page[:0], 0
		return err
	}
	err := s.bus.Scan(ctx, bus.ScanConfig{Stream: s.stream(events.StreamEvents), FromTime: first}, func(m *bus.Message) (bool, error) {
		ev, err := readEvent(s.bus.Subjects(), m)
		if err != nil {
			return true, nil //nolint:nilerr // whoever routes it has it put into the dead letters
		}
		var missing []*target.Endpoint
		for _, e := range s.wanting(ev) {
			if stored, ok := since[e.ID()]; ok && !m.Time.Before(stored) {
				missing = append(missing, e)
			}
		}
		msgs, err := s.deliveries(ctx, m, ev, missing)
		if err != nil {
			return true, nil //nolint:nilerr // the same
		}
		page, size = append(page, msgs...), size+len(m.Body)*len(msgs)
		if len(page) >= catchUpPage || size >= catchUpBytes {
			return true, store()
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return store()
}
