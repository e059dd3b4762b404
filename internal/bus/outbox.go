package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of the outbox.
const (
	outboxWindow = 4096                   // messages on their way at once; more wait for a place
	outboxTick   = 500 * time.Millisecond // how exact publishTimeout is
	outboxTries  = 3                      // how often a message is sent that no stream takes: one may be about to have a leader
	outboxPause  = 250 * time.Millisecond
)

// outbox holds what was sent to JetStream and is not acked yet. The client library does the same with a context, a timer, a
// random inbox and a JSON decoder for every message; here all messages share one subscription and one ticker, which makes a
// publish half as dear.
type outbox struct {
	bus    *Bus
	prefix string // of the reply subjects; the message's number follows
	room   chan struct{}
	stream string // name in the last ack; only acked touches it

	last atomic.Uint64
	free sync.Pool // receipts that nobody has any more

	mu      sync.Mutex
	tick    uint64
	waiting map[uint64]*receipt
	empty   chan struct{} // closed when nothing waits any more; nil while nobody wants to know
}

// receipt is one message's place in the outbox.
type receipt struct {
	msg    *nats.Msg
	number uint64
	sent   uint64        // tick at which it was
	done   chan struct{} // says once that ack and err are set
	ack    Ack
	err    error
}

// openOutbox subscribes to the acks.
func openOutbox(b *Bus) (*outbox, error) {
	o := &outbox{bus: b, prefix: b.nc.NewInbox() + ".", room: make(chan struct{}, outboxWindow), waiting: make(map[uint64]*receipt)}
	sub, err := b.nc.Subscribe(o.prefix+"*", o.acked)
	if err != nil {
		return nil, err
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil { // the window bounds it
		return nil, err
	}
	b.afterReconnect(func() { go o.resend() })
	go o.run()
	return o, nil
}

// run gives up what got no ack for too long, and everything when the connection is closed for good.
func (o *outbox) run() {
	tick := time.NewTicker(outboxTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.giveUp(uint64(publishTimeout/outboxTick), context.DeadlineExceeded)
		case <-o.bus.closed:
			o.giveUp(0, nats.ErrConnectionClosed)
			return
		}
	}
}

// giveUp ends the wait for what was sent that many ticks ago.
func (o *outbox) giveUp(age uint64, why error) {
	var old []*receipt
	o.mu.Lock()
	o.tick++
	for _, r := range o.waiting {
		if o.tick-r.sent > age {
			old = append(old, r)
			o.remove(r)
		}
	}
	o.mu.Unlock()
	for _, r := range old {
		r.finish(Ack{}, why)
	}
}

// remove makes the caller the one who finishes r. The lock is held.
func (o *outbox) remove(r *receipt) {
	delete(o.waiting, r.number)
	<-o.room
	if o.empty != nil && len(o.waiting) == 0 {
		close(o.empty)
		o.empty = nil
	}
}

// send sends a message, when there is room for it.
func (o *outbox) send(ctx context.Context, msg *nats.Msg) (*receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case o.room <- struct{}{}:
	default:
		select {
		case o.room <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r := o.receipt(msg)
	var reply [96]byte
	msg.Reply = string(strconv.AppendUint(append(reply[:0], o.prefix...), r.number, 10))
	o.mu.Lock()
	r.sent = o.tick
	o.waiting[r.number] = r
	o.mu.Unlock()
	if err := o.bus.nc.PublishMsg(msg); err != nil {
		o.forget(r)
		return nil, err
	}
	return r, nil
}

// receipt makes a receipt, or takes one that was used before.
func (o *outbox) receipt(msg *nats.Msg) *receipt {
	r, ok := o.free.Get().(*receipt)
	if !ok {
		r = &receipt{done: make(chan struct{}, 1)}
	}
	r.msg, r.number = msg, o.last.Add(1)
	return r
}

// release lets a receipt be used for another message. Only who has heard that it is finished may, and once: everybody else
// has let go of it by then.
func (o *outbox) release(r *receipt) {
	r.msg, r.ack, r.err = nil, Ack{}, nil
	o.free.Put(r)
}

// forget gives up a message, unless it is finished already.
func (o *outbox) forget(r *receipt) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, waits := o.waiting[r.number]; !waits {
		return false
	}
	o.remove(r)
	return true
}

// await waits for the ack. What is there already counts, even if ctx has ended. A message that no stream took is sent again,
// and one that was too large for it without its trace context.
// The receipt must not be used any more.
func (o *outbox) await(ctx context.Context, r *receipt) (Ack, error) {
	for try := 1; ; try++ {
		select {
		case <-r.done:
		default:
			select {
			case <-r.done:
			case <-ctx.Done():
				if o.forget(r) {
					return Ack{}, ctx.Err()
				}
				<-r.done
			}
		}
		msg, ack, err := r.msg, r.ack, r.err
		o.release(r)
		switch {
		case err == nil:
			return ack, nil
		case tooLarge(err) && untrace(msg.Header): // at once, without what would make it a part of its trace
		case !errors.Is(err, nats.ErrNoResponders), try >= outboxTries, o.bus.pauseFor(ctx, outboxPause) != nil:
			return Ack{}, err
		}
		if r, err = o.send(ctx, msg); err != nil {
			return Ack{}, err
		}
	}
}

// acked takes an ack, or the word that nobody is there to give one.
func (o *outbox) acked(msg *nats.Msg) {
	number, ok := parseNumber(msg.Subject[len(o.prefix):])
	if !ok {
		return
	}
	o.mu.Lock()
	r, waits := o.waiting[number]
	if waits {
		o.remove(r)
	}
	o.mu.Unlock()
	if waits {
		r.finish(o.read(msg))
	}
}

// finish hands over the outcome. Only whoever removed the receipt may.
func (r *receipt) finish(ack Ack, err error) {
	r.ack, r.err = ack, err
	r.done <- struct{}{}
}

// read reads an ack.
func (o *outbox) read(msg *nats.Msg) (Ack, error) {
	if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
		return Ack{}, nats.ErrNoResponders
	}
	if name, seq, value, ok := plainAck(msg.Data); ok {
		if string(name) != o.stream {
			o.stream = string(name)
		}
		return Ack{Stream: o.stream, Sequence: seq, value: string(value)}, nil
	}
	var answer struct {
		Error     *jetstream.APIError `json:"error"`
		Stream    string              `json:"stream"`
		Sequence  uint64              `json:"seq"`
		Duplicate bool                `json:"duplicate"`
		Value     string              `json:"val"`
	}
	if err := json.Unmarshal(msg.Data, &answer); err != nil || answer.Error == nil && answer.Stream == "" {
		return Ack{}, jetstream.ErrInvalidJSAck
	}
	if answer.Error != nil {
		return Ack{}, answer.Error
	}
	return Ack{Stream: answer.Stream, Sequence: answer.Sequence, Duplicate: answer.Duplicate, value: answer.Value}, nil
}

// plainAck reads what nearly all acks look like, {"stream":"MLSDM_EVENTS","seq":42}, and behind that ,"val":"7" of a counter,
// without a JSON decoder.
func plainAck(data []byte) (stream []byte, seq uint64, value []byte, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{"stream":"`))
	if !ok {
		return nil, 0, nil, false
	}
	stream, rest, _ = bytes.Cut(rest, []byte(`","seq":`))
	digits, ok := bytes.CutSuffix(rest, []byte(`}`))
	if !ok || bytes.ContainsAny(stream, `"\`) || len(stream) == 0 {
		return nil, 0, nil, false
	}
	digits, value, counts := bytes.Cut(digits, []byte(`,"val":"`))
	if counts {
		if value, ok = bytes.CutSuffix(value, []byte(`"`)); !ok || bytes.ContainsAny(value, `"\`) {
			return nil, 0, nil, false
		}
	}
	seq, ok = parseNumber(string(digits))
	return stream, seq, value, ok
}

// resend sends again, after a reconnect, what may have been lost with the connection or with its ack. What has no id would
// be stored twice, and waits for its timeout.
func (o *outbox) resend() {
	o.mu.Lock()
	numbers := slices.Sorted(maps.Keys(o.waiting))
	o.mu.Unlock()
	for _, number := range numbers {
		// Under the lock, so that the body is still there: whoever gives up may use it for something else.
		o.mu.Lock()
		if r, waits := o.waiting[number]; waits && len(r.msg.Header[events.HeaderMsgID]) > 0 {
			if err := o.bus.nc.PublishMsg(r.msg); err != nil { // the next reconnect, or the timeout, sees to it
				o.bus.log.Debug("a message could not be sent again", "subject", r.msg.Subject, "err", err)
			}
		}
		o.mu.Unlock()
	}
}

// settled waits until nothing waits for its ack, or until ctx ends.
func (o *outbox) settled(ctx context.Context) {
	o.mu.Lock()
	if len(o.waiting) == 0 {
		o.mu.Unlock()
		return
	}
	if o.empty == nil {
		o.empty = make(chan struct{})
	}
	empty := o.empty
	o.mu.Unlock()
	select {
	case <-empty:
	case <-o.bus.closed:
	case <-ctx.Done():
	}
}
