package bus

import (
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// pulse shows the reader of a stream, while there is nothing to say, that it goes on; and where there is no reader any more, the server
// says so. Nothing else would, before the next chunk. It is guarded by the request's lock.
type pulse struct {
	every time.Duration // 0: the caller has not asked for it
	last  time.Time     // when something was sent
	timer *time.Timer   // nil as long as it is not known whether there will be a stream
}

// Streams says that the answer will come in chunks. From here on a caller who asks for it ([events.HeaderKeepaliveMS]) gets a sign of
// life when nothing else has been sent for so long.
func (r *Request) Streams() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pulse.every == 0 || r.pulse.timer != nil || r.controls == nil || r.state != unanswered {
		return
	}
	r.open()
	r.pulse.last = time.Now()
	r.pulse.timer = time.AfterFunc(r.pulse.every, r.beat)
}

// beat gives a sign of life, if it is time for one.
func (r *Request) beat() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != unanswered && r.state != streaming || r.ctx.Err() != nil {
		return
	}
	now := time.Now()
	if rest := r.pulse.every - now.Sub(r.pulse.last); rest > 0 {
		r.pulse.timer.Reset(rest)
		return
	}
	if err := r.sign(now); err != nil {
		r.bus.log.Debug("a sign of life could not be sent", "subject", r.Subject, "err", err)
	}
	r.pulse.last = now
	r.pulse.timer.Reset(r.pulse.every)
}

// sign sends a chunk without choices, which has no place in the stream.
func (r *Request) sign(now time.Time) error {
	chunk, err := json.Marshal(events.ChatChunk{Object: events.ObjectChatCompletionChunk, Created: now.Unix(), Choices: []events.ChatChunkChoice{}})
	if err != nil {
		return err
	}
	return r.send(&nats.Msg{Subject: r.reply, Reply: r.flow.subject, Data: chunk, Header: nats.Header{
		events.HeaderContentType: {events.ContentTypeJSON}, events.HeaderKeepalive: {"1"},
	}})
}

// sent notes that something has been said.
func (p *pulse) sent() {
	if p.timer != nil {
		p.last = time.Now()
	}
}

// stop ends it.
func (p *pulse) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
