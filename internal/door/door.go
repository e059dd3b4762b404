// Package door is the two doors through which one worker is asked: the interactive one, where a caller waits for the
// reply, and the durable one, where the request lies in a stream until its result lies in another. Both run the same code.
//
// What a worker need not know is done here: who calls, how long they wait, in which form an answer or a failure is sent,
// when a request is tried again, what is measured, and the event request.processed that says how it ended.
package door

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Call is one request in the hands of a worker.
type Call struct {
	// Caller is who asks: a subject token that the bus vouches for.
	Caller string
	// ID is the name of the request in reports: the durable request's id, or one made for the interactive request.
	ID string
	// Header is the request's; the worker does not change it.
	Header map[string][]string
	// Body is the request as it came: nothing about it has been checked.
	Body []byte
	// Room is memory, empty, in which a worker may write what it returns. What it leaves here is used for another request after that.
	Room []byte
	// Limit is the largest reply that this door can send, in bytes.
	Limit int
	// Send sends one chunk of a streamed reply. It is nil where no stream is kept. It waits for a reader who is slow, and its
	// error says that nobody wants any more. A chunk is Send's until it returns, and of a durable request for good.
	Send func(chunk []byte) error
	// Streams, if it is set, is to be called before the first chunk is made: from then on who asks for signs of life gets them.
	Streams func()
	// Durable says that the answer is kept: the worker returns the whole of it, even after it has sent it in chunks.
	Durable bool
	// Attempt counts how often a durable request was handed out, from 1, and Keep is how long its answer will be kept.
	Attempt int
	Keep    time.Duration
	// Stopping is closed when a durable request should not be worked on for much longer, because the process is about to end. Whoever
	// can go on later returns [bus.ErrGivenBack] then; others finish.
	Stopping <-chan struct{}
	// InParts is set by a worker that keeps what it has done of a durable request: Options.Settled is told when its answer is stored.
	InParts bool
	// FinishReason is why the model stopped, and Usage what it used: the worker tells, for the end of a stream. Without Usage
	// the tokens of Report stand for it.
	FinishReason string
	Usage        *events.ChatUsage
	// Report is what the worker tells about its work, whether it succeeds or not: model, inputs, tokens. The rest is
	// filled in by the door.
	Report *events.RequestProcessed

	kind string
	hash string // as [Call.Hash] returns it; empty until it is asked for
}

// Hash tells whether two requests of one caller ask for the same: the SHA-256, in hex, of the kind, a line feed and the body.
func (c *Call) Hash() string {
	if c.hash == "" {
		h := sha256.New()
		h.Write([]byte(c.kind + "\n"))
		h.Write(c.Body)
		c.hash = hex.EncodeToString(h.Sum(nil))
	}
	return c.hash
}

// usage is what is known about the tokens.
func (c *Call) usage() *events.ChatUsage {
	r := c.Report
	if c.Usage != nil || r.PromptTokens <= 0 && r.CompletionTokens <= 0 && r.TotalTokens <= 0 {
		return c.Usage
	}
	return &events.ChatUsage{PromptTokens: r.PromptTokens, CompletionTokens: r.CompletionTokens, TotalTokens: r.TotalTokens}
}

// Worker does one request. It returns the body of the reply, or nil after it has sent a stream that is not durable. Its
// errors should be an [events.Error]; what is none is a fault of ours that may pass. An error with a method
// Partial() *events.ChatResponse tells what was said before it.
type Worker func(ctx context.Context, call *Call) ([]byte, error)

// Options are the settings of a pair of doors.
type Options struct {
	// Kind is the kind of request, [events.KindEmbed] or [events.KindGenerate]: it names the interactive operation, the
	// durable subjects and the consumer.
	Kind string
	// Service is the name of the service, for its micro protocol, its consumer and the source of its events.
	Service string
	// Version is the service's semantic version.
	Version string
	// Description says what the service does, in one line.
	Description string
	// Workers is how many requests each door works on at a time; at least 1.
	Workers int
	// Timeout bounds the work on one request, whatever the caller's patience; more than 0.
	Timeout time.Duration
	// DurableTimeout is the same for one attempt at a durable request; 0 is Timeout. However long it is, the request stays with whoever
	// works on it, and shows that it is alive.
	DurableTimeout time.Duration
	// Progress says in which attempt the work on a durable request last came forward, 0 for none: attempts are counted from there. It
	// is asked before a request is given up. Nil is no progress. See [bus.ConsumeConfig].
	Progress func(ctx context.Context, call *Call) (attempt int, err error)
	// Settled is called when the answer to a durable request is stored, or an error in its place, if its worker has set Call.InParts,
	// or may have done so in an attempt that nobody remembers. It clears up; what it cannot clear up is its own business.
	Settled func(ctx context.Context, call *Call, failure error)
	// KeepChunks has the chunks of durable requests that ask for a stream kept, for readers who come late.
	KeepChunks bool
	// MaxAttempts is how often a durable request is tried; at least 1.
	MaxAttempts int
	// Backoff is the wait between the attempts; the zero value is the bus's default.
	Backoff retry.Backoff
	// DrainTimeout is how long the work in hand may go on after the stop; 0 is the bus's default.
	DrainTimeout time.Duration
	// Operations are what the service answers beside requests of its kind.
	Operations []bus.Operation
	// Data is what the service tells about itself in `nats micro stats`. Nil is nothing. See [bus.Service].
	Data func() any
	// Reported is the share of requests that end without an error of which an event is published, 0 to 1; of those with one, all
	// are. Nil is 1.
	Reported *float64
	// Metrics takes the metrics; nil keeps them to itself.
	Metrics prometheus.Registerer
	// Logger takes log lines; nil discards them.
	Logger *slog.Logger
}

// Doors are both doors of one worker. Make them with [New].
type Doors struct {
	opts     Options
	bus      *bus.Bus
	work     Worker
	log      *slog.Logger
	metrics  *metrics
	reporter *reporter
	rooms    sync.Pool     // of *[]byte: memory for replies
	stopping chan struct{} // closed when Run is to end
}

// New checks opts and returns the doors, still closed.
func New(b *bus.Bus, opts Options, work Worker) (*Doors, error) {
	if b == nil || work == nil || opts.Kind == "" || opts.Service == "" {
		return nil, errors.New("door: a bus, a worker, a kind and a service name are needed")
	}
	if opts.Workers < 1 || opts.Timeout <= 0 || opts.MaxAttempts < 1 {
		return nil, errors.New("door: workers, timeout and attempts must be positive")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.DrainTimeout <= 0 {
		opts.DrainTimeout = bus.DefaultDrainTimeout
	}
	if opts.DurableTimeout <= 0 {
		opts.DurableTimeout = opts.Timeout
	}
	m, err := newMetrics(opts.Metrics)
	if err != nil {
		return nil, err
	}
	return &Doors{
		opts: opts, bus: b, work: work, log: opts.Logger, metrics: m,
		reporter: newReporter(b, "/mlsdm/"+opts.Service, opts.Logger, m), stopping: make(chan struct{}),
	}, nil
}

// Run opens both doors until ctx ends. Then it takes no more requests, finishes those in hand, publishes what is to be
// told about them, and returns nil. It may be called once.
func (d *Doors) Run(ctx context.Context) error {
	reporting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		d.reporter.run(reporting)
	}()
	group, ctx := errgroup.WithContext(ctx) // a door that cannot be kept open closes the other
	told := context.AfterFunc(ctx, func() { close(d.stopping) })
	defer told()
	group.Go(func() error {
		if err := d.bus.Serve(ctx, d.interactive()); err != nil {
			return fmt.Errorf("interactive requests: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		if err := d.bus.Consume(ctx, d.durable(), d.handleDurable); err != nil {
			return fmt.Errorf("durable requests: %w", err)
		}
		return nil
	})
	err := group.Wait()
	d.reporter.close()
	timer := time.AfterFunc(flushTimeout, stop)
	defer timer.Stop()
	<-reported
	return err
}

// headerRoom is what the headers of a reply may take of the largest message, in bytes.
const headerRoom = 2 << 10

// limit is the largest body that one message can carry.
func (d *Doors) limit() int {
	return int(max(d.bus.MaxPayload()-headerRoom, headerRoom))
}

// finish completes the report of a request and hands it over to be counted and told.
func (d *Doors) finish(ctx context.Context, id, door string, call *Call, arrived time.Time, err error) {
	r := call.Report
	r.Kind, r.Door, r.Caller, r.RequestID = d.opts.Kind, door, call.Caller, id
	r.LatencyMS = float64(max(time.Since(arrived), 0).Microseconds()) / 1000
	r.PromptTokens, r.CompletionTokens, r.TotalTokens = max(r.PromptTokens, 0), max(r.CompletionTokens, 0), max(r.TotalTokens, 0)
	r.Outcome, r.Code = events.OutcomeOK, ""
	if err != nil {
		r.Outcome, r.Code = events.OutcomeError, events.CodeOf(err)
	}
	d.metrics.count(r)
	if err == nil && d.opts.Reported != nil && rand.Float64() >= *d.opts.Reported { //nolint:gosec // which are reported is no secret
		return
	}
	d.reporter.report(ctx, r)
}
