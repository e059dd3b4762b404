package space

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// How refusals are told.
const (
	tellEvery = time.Hour // at most, of one model and length
	maxTold   = 128       // in one hour
	maxAlarms = maxTold   // that wait to be published
	published = 3 * time.Second
)

// alarm is an answer that was refused.
type alarm struct {
	model
	pinned, seen int
	was, is      string // which model the server said that it has, if that is what has changed
	answeredBy   string
}

// refusal is what is told once in a while.
type refusal struct {
	model
	seen int
	is   string
}

// alarms are those that wait to be published, and those that were told lately.
type alarms struct {
	queue chan alarm

	mu   sync.Mutex
	told map[refusal]time.Time // and when
}

func newAlarms() alarms {
	return alarms{queue: make(chan alarm, maxAlarms), told: make(map[refusal]time.Time)}
}

// note reports whether a refusal is to be told now, and takes it that it is.
func (a *alarms) note(r refusal, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	hour := now.Truncate(tellEvery)
	if a.told[r].Equal(hour) {
		return false
	}
	if len(a.told) >= maxTold {
		for old, at := range a.told {
			if at.Before(hour) {
				delete(a.told, old)
			}
		}
	}
	if len(a.told) >= maxTold { // enough is told for one hour
		return false
	}
	a.told[r] = hour
	return true
}

// forget has a refusal told again.
func (a *alarms) forget(r refusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.told, r)
}

// alarm has a refusal told, if it has not been told in this hour. It does not wait.
func (p *Pins) alarm(ctx context.Context, a alarm) {
	r := refusal{a.model, a.seen, a.is}
	if !p.alarms.note(r, time.Now()) {
		return
	}
	select {
	case p.alarms.queue <- a:
		if a.is != "" {
			p.log.WarnContext(ctx, "a server has another model than before; its vectors are refused",
				"model", spaces.Name(a.name, a.revision), "provider", a.answeredBy, "pinned", a.was, "seen", a.is)
			return
		}
		p.log.WarnContext(ctx, "a model answers with vectors of another length than before; they are refused",
			"model", spaces.Name(a.name, a.revision), "provider", a.answeredBy, "pinned", a.pinned, "seen", a.seen)
	default:
		p.alarms.forget(r)
	}
}

// tell publishes what is refused, until ctx ends and what was refused until then is published.
func (p *Pins) tell(ctx context.Context) {
	for {
		select {
		case a := <-p.alarms.queue:
			p.publish(ctx, a)
		case <-ctx.Done():
			for until := time.Now().Add(published); len(p.alarms.queue) > 0 && time.Now().Before(until); { // nobody else reads it
				p.publish(ctx, <-p.alarms.queue)
			}
			return
		}
	}
}

// publish publishes an event, whose id is the same for all replicas that tell of the same in one hour. What is being published when ctx
// ends still is.
func (p *Pins) publish(ctx context.Context, a alarm) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), published)
	defer cancel()
	name, now := spaces.Name(a.name, a.revision), time.Now().UTC()
	ev, err := events.New(p.source, events.EmbeddingSpaceChanged{Model: name, Provider: a.answeredBy, Pinned: a.pinned, Seen: a.seen, PinnedModel: a.was, SeenModel: a.is})
	if err == nil {
		ev.ID, ev.Subject = eventID(a, now), name
		_, err = p.bus.PublishEvent(bounded, ev)
	}
	if err != nil {
		p.alarms.forget(refusal{a.model, a.seen, a.is})
		p.log.ErrorContext(ctx, "that a model has changed could not be published; it is tried again with its next answer", "model", name, "err", err)
	}
}

// eventID is the id of the event.
func eventID(a alarm, now time.Time) string {
	text := strconv.Quote(a.name) + strconv.Quote(a.revision) + strconv.Itoa(a.pinned) + "/" + strconv.Itoa(a.seen) + now.Truncate(tellEvery).Format(time.RFC3339)
	if a.is != "" {
		text += strconv.Quote(a.was) + strconv.Quote(a.is)
	}
	sum := sha256.Sum256([]byte(text))
	return "space-changed-" + hex.EncodeToString(sum[:16])
}
