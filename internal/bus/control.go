package bus

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of what callers say about their requests.
const (
	// controlPending is how many control messages may wait here: the client library drops more. An acknowledgement that is
	// lost is made good by the next one.
	controlPending = 1 << 18
	// A request and its cancellation come on two subscriptions, so the cancellation may be seen first. That many of those that
	// name no request here are remembered for that long.
	earlyCancels    = 4096
	earlyCancelLife = 5 * time.Second
)

// controls holds the requests of one server that their callers can cancel, and its streams. Only the caller of a request can:
// who speaks is said by the subject, for which NATS permissions vouch.
type controls struct {
	bus     *Bus
	replica string // the server's id, which stands in the subjects of its streams
	subs    []*nats.Subscription

	mu       sync.Mutex
	requests map[requestName][]*Request
	early    map[requestName]time.Time // cancellations that came first
	ring     []requestName             // the keys of early, the oldest at next
	next     int
	streams  map[uint64]*flow
}

// requestName is how a caller calls a request.
type requestName struct{ caller, id string }

// Why a request ended that was not done.
const (
	canceledByCaller = "the caller canceled the request"
	canceledByReader = "the reader ended the stream"
	readerGone       = "nobody reads the stream any more"
)

// controlled reports whether callers can cancel an operation: those that do costly work.
func controlled(op events.Operation) bool { return slices.Contains(events.RequestKinds(), op.Name) }

// listen subscribes to what callers say, every replica to all of it: only one has the request, and nobody knows which.
func (c *controls) listen(streams bool) error {
	handlers := map[string]nats.MsgHandler{"cancel.*": c.cancel}
	if streams {
		handlers["streams."+c.replica+".*"] = c.control
	}
	for subject, handle := range handlers {
		for _, as := range []string{"", "as.*."} {
			sub, err := c.bus.nc.Subscribe(c.bus.subjects.Below(as+subject), handle)
			if err != nil {
				return fmt.Errorf("subscribing %s: %w", as+subject, err)
			}
			c.subs = append(c.subs, sub)
			if err := sub.SetPendingLimits(controlPending, -1); err != nil {
				return fmt.Errorf("subscribing %s: %w", sub.Subject, err)
			}
		}
	}
	return nil
}

// close ends the subscriptions. Until the last handler has returned they are needed: a stream goes on only as long as its
// reader is heard.
func (c *controls) close() {
	for _, sub := range c.subs {
		if err := sub.Unsubscribe(); err != nil {
			c.bus.log.Debug("ending a subscription failed; the connection is closed", "subject", sub.Subject, "err", err)
		}
	}
}

// enter makes a request known under the name that its caller gave it, if any. leave must be called.
func (c *controls) enter(r *Request) (leave func(), err error) {
	id := events.HeaderValue(r.Header, events.HeaderRequestID)
	if id == "" {
		return func() {}, nil
	}
	if err := events.CheckToken("the request id (header "+events.HeaderRequestID+")", id); err != nil {
		return nil, err
	}
	name := requestName{r.Caller, id}
	c.mu.Lock()
	defer c.mu.Unlock()
	if heard, early := c.early[name]; early {
		delete(c.early, name)
		if time.Since(heard) < earlyCancelLife {
			r.quit(events.Errorf(events.CodeCanceled, canceledByCaller))
		}
	}
	c.requests[name] = append(c.requests[name], r)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		rest := slices.DeleteFunc(c.requests[name], func(other *Request) bool { return other == r })
		if len(rest) > 0 {
			c.requests[name] = rest
			return
		}
		delete(c.requests, name)
	}, nil
}

// cancel hears that a caller cancels a request.
func (c *controls) cancel(msg *nats.Msg) {
	name := requestName{c.bus.subjects.Caller(msg.Subject), msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]}
	if len(name.id) > events.MaxIDLength || len(name.caller) > events.MaxIDLength { // nobody has such a name
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	here := c.requests[name]
	for _, r := range here {
		r.quit(events.Errorf(events.CodeCanceled, canceledByCaller))
	}
	if len(here) > 0 {
		return
	}
	if _, known := c.early[name]; !known {
		if len(c.ring) < earlyCancels {
			c.ring = append(c.ring, name)
		} else {
			delete(c.early, c.ring[c.next])
			c.ring[c.next] = name
			c.next = (c.next + 1) % earlyCancels
		}
	}
	c.early[name] = time.Now()
}

// open makes the control of a stream.
func (c *controls) open(r *Request, window int) *flow {
	f := &flow{caller: r.Caller, quit: r.quit, window: uint64(max(window, 0)), more: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	for f.number == 0 || c.streams[f.number] != nil {
		f.number = unguessable()
	}
	f.subject = c.bus.subjects.StreamControl(r.Caller, c.replica, strconv.FormatUint(f.number, 10))
	c.streams[f.number] = f
	return f
}

// unguessable is a number of 63 random bits. NATS lets a user have a message sent where that user may not send one, by naming
// its subject as that of a reply: but who does not know the subject cannot name it.
func unguessable() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) >> 1
}

// shut forgets a stream.
func (c *controls) shut(f *flow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, f.number)
}

// control hears what a reader says about a stream, or the server, that there is no reader.
func (c *controls) control(msg *nats.Msg) {
	number, ok := parseNumber(msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:])
	if !ok {
		return
	}
	c.mu.Lock()
	f := c.streams[number]
	c.mu.Unlock()
	if f == nil || f.caller != c.bus.subjects.Caller(msg.Subject) { // over, or somebody else's
		return
	}
	if len(msg.Data) == 0 {
		if msg.Header.Get("Status") == "503" {
			f.quit(events.Errorf(events.CodeCanceled, readerGone))
		}
		return
	}
	said, ok := readControl(msg.Data)
	switch {
	case !ok:
		c.bus.log.Debug("what a reader said about a stream cannot be read, and is ignored", "subject", msg.Subject)
	case said.Cancel:
		f.quit(events.Errorf(events.CodeCanceled, canceledByReader))
	default:
		f.acknowledge(said.Received)
	}
}

// flow paces one stream.
type flow struct {
	number  uint64
	subject string // where its reader answers
	caller  string
	quit    context.CancelCauseFunc
	window  uint64        // 0 when the reader does not acknowledge
	more    chan struct{} // told when received has grown

	mu             sync.Mutex
	sent, received uint64
}

// acknowledge notes what the reader has.
func (f *flow) acknowledge(received uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if received <= f.received || received > f.sent {
		return
	}
	f.received = received
	notify(f.more)
}

// take takes the place of the next chunk, and returns its sequence, or false when there is none yet.
func (f *flow) take() (uint64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.window > 0 && f.sent-f.received >= f.window {
		return 0, false
	}
	f.sent++
	return f.sent, true
}

// giveBack gives back the place of a chunk that could not be sent.
func (f *flow) giveBack() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent--
}

// wait waits until the reader has acknowledged more than it had. A reader who says nothing for that long is given up.
func (f *flow) wait(ctx context.Context, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.more:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		err := events.Errorf(events.CodeFailedPrecondition,
			"the reader of the stream has acknowledged nothing for %s, and has %d chunks to read", patience, f.window)
		f.quit(err)
		return err
	}
}

// partial returns what had been said before a failure, when it tells.
func partial(err error) *events.ChatResponse {
	if told, ok := errors.AsType[interface {
		error
		Partial() *events.ChatResponse
	}](err); ok {
		return told.Partial()
	}
	return nil
}
