package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Service is a NATS micro service (https://github.com/nats-io/nats-architecture-and-design, ADR-32): `nats micro ls` finds it.
type Service struct {
	// Name is letters, digits, - and _; Version is the build's own, and is shown as a semantic version.
	Name, Version, Description string
	// Operations are what it answers.
	Operations []Operation
	// DrainTimeout is how long handlers may go on after the stop; 0 is [DefaultDrainTimeout].
	DrainTimeout time.Duration
	// Data, if not nil, is what the service tells about itself beside what is counted here: it stands, as JSON, in the field "data" of the
	// first endpoint in `nats micro stats`. It is called for each such question, from several goroutines.
	Data func() any
}

// Operation is one thing that a service answers, on mlsdm.<name> and on mlsdm.as.<caller>.<name>.
type Operation struct {
	// Name is that of an entry of [events.Operations].
	Name string
	// Workers is how many requests are worked on at a time; 0 is 64. Four times as many may wait, with bodies of 256 MiB;
	// more are answered "unavailable" at once, because a queue that only grows helps nobody.
	Workers int
	// Timeout bounds the work on one request, whatever the caller's patience; 0 is one minute.
	Timeout time.Duration
	// ReaderPatience is how long a stream waits for a reader who has acknowledged nothing; 0 is half a minute.
	ReaderPatience time.Duration
	// Handler answers by [Request.Respond], or by [Request.Send] for a stream, or by returning an error.
	Handler func(ctx context.Context, r *Request) error
}

// Defaults of [Operation].
const (
	defaultWorkers   = 64
	defaultTimeout   = time.Minute
	defaultPatience  = 30 * time.Second
	waitingPerWorker = 4
	waitingBytes     = 256 << 20 // of one operation: what it holds in memory for its callers
)

// queueGroup is the queue group of all endpoints, so that replicas share the load (the micro protocol's default name).
const queueGroup = "q"

// Serve answers requests until ctx ends. Then it takes no more, waits for the handlers in flight, cancels those that take
// longer than the drain timeout, and returns nil. It returns an error when the connection is closed for good, and when
// handlers go on for more than five seconds after they were canceled.
func (b *Bus) Serve(ctx context.Context, s Service) error {
	if s.DrainTimeout <= 0 {
		s.DrainTimeout = DefaultDrainTimeout
	}
	work, cancelWork := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelWork()
	srv := &server{bus: b, work: work, id: inboxID(b.nc), info: s, started: time.Now().UTC()}
	srv.plain = map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}}
	srv.hands.handle = srv.serve
	srv.controls = &controls{
		bus: b, replica: srv.id, requests: make(map[requestName][]*Request), early: make(map[requestName]time.Time), streams: make(map[uint64]*flow),
	}
	defer srv.controls.close()
	if err := srv.listen(); err != nil {
		return errors.Join(err, srv.unsubscribe())
	}
	b.log.InfoContext(ctx, "serving requests", "micro_service", s.Name, "endpoints", len(srv.endpoints))
	var closed error
	select {
	case <-ctx.Done():
	case <-b.closed: // no answer can be sent any more: the work is for nothing
		closed = events.Errorf(events.CodeUnavailable, "the connection to nats is closed")
		cancelWork()
	}
	timer := time.AfterFunc(s.DrainTimeout, cancelWork)
	defer timer.Stop()
	srv.drain()
	return errors.Join(closed, srv.wait())
}

// server is one running Service.
type server struct {
	bus       *Bus
	work      context.Context //nolint:containedctx // the context of all handlers, which outlives Serve's own by the drain timeout
	id        string
	info      Service
	started   time.Time
	endpoints []*endpoint
	plain     map[string][]string // headers of answers in one piece
	controls  *controls
	subs      []*nats.Subscription
	hands     hands
}

// endpoint is one subject of an operation.
type endpoint struct {
	name, subject, describes string
	op                       Operation
	controlled, streams      bool          // callers can cancel its requests; it can answer in chunks
	slots                    chan struct{} // one a worker
	waiting, bytes           *atomic.Int64 // requests here and the size of their bodies; shared by the endpoints of one operation, as slots is
	stats                    endpointStats
	served                   prometheus.Counter // requests without an error
	seconds                  prometheus.Observer
}

// listen subscribes the operations and the micro protocol.
func (s *server) listen() error {
	for _, op := range s.info.Operations {
		entry, ok := findOperation(op.Name)
		if !ok || op.Handler == nil {
			return fmt.Errorf("operation %q is not in the catalogue, or has no handler", op.Name)
		}
		if op.Workers <= 0 {
			op.Workers = defaultWorkers
		}
		if op.Timeout <= 0 {
			op.Timeout = defaultTimeout
		}
		if op.ReaderPatience <= 0 {
			op.ReaderPatience = defaultPatience
		}
		if controlled(entry) { // before any request can come
			if err := s.controls.listen(entry.Streams); err != nil {
				return err
			}
		}
		slots, waiting, bytes := make(chan struct{}, op.Workers), new(atomic.Int64), new(atomic.Int64)
		name := strings.ReplaceAll(op.Name, ".", "-")
		add := func(name, subject string) error {
			e := &endpoint{
				name: name, subject: subject, describes: entry.Does, op: op, controlled: controlled(entry), streams: entry.Streams,
				slots: slots, waiting: waiting, bytes: bytes,
				served: s.bus.metrics.served.WithLabelValues(op.Name, "ok"), seconds: s.bus.metrics.serveS.WithLabelValues(op.Name),
			}
			s.endpoints = append(s.endpoints, e)
			sub, err := s.bus.nc.QueueSubscribe(subject, queueGroup, func(msg *nats.Msg) { s.accept(e, msg) })
			if err != nil {
				return fmt.Errorf("subscribing %s: %w", subject, err)
			}
			s.subs = append(s.subs, sub)
			// Beyond its limits (64 MiB, a few large requests) the client library drops messages, and the caller hears nothing.
			// What is waiting is bounded by accept, which answers.
			if err := sub.SetPendingLimits(-1, -1); err != nil {
				return fmt.Errorf("subscribing %s: %w", subject, err)
			}
			return nil
		}
		if !entry.CallerOnly {
			if err := add(name, s.bus.subjects.Below(op.Name)); err != nil {
				return err
			}
		}
		if err := add("as-"+name, s.bus.subjects.Below("as.*."+op.Name)); err != nil {
			return err
		}
	}
	if err := s.listenMicro(); err != nil {
		return err
	}
	s.bus.flush(s.work) // without a connection, the subscriptions are made by the reconnect
	return nil
}

// findOperation looks an operation up in the catalogue.
func findOperation(name string) (events.Operation, bool) {
	for _, op := range events.Operations() {
		if op.Name == name {
			return op, true
		}
	}
	return events.Operation{}, false
}

// drain ends the intake: what the server has already sent is still answered.
func (s *server) drain() {
	for _, sub := range s.subs {
		if err := sub.Drain(); err != nil {
			s.bus.log.Debug("draining failed; the connection is closed", "err", err)
		}
	}
	s.bus.flush(s.work)
	for _, sub := range s.subs { // the callbacks of what is already here
		for sub.IsValid() && s.bus.nc.IsConnected() && s.work.Err() == nil {
			<-time.After(time.Millisecond)
		}
	}
}

// wait returns when all handlers have, or with an error when they go on although they were canceled.
func (s *server) wait() error {
	s.hands.dismiss()
	done := make(chan struct{})
	go func() {
		s.hands.all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-s.work.Done():
		select {
		case <-done:
		case <-time.After(stubbornAfter):
			return fmt.Errorf("requests of %s are still being handled %s after they were canceled: their handlers do not heed their context",
				s.info.Name, stubbornAfter)
		}
	}
	s.bus.flush(s.work) // the answers
	return nil
}

// unsubscribe undoes a listen that failed halfway.
func (s *server) unsubscribe() error {
	var errs []error
	for _, sub := range s.subs {
		errs = append(errs, sub.Unsubscribe())
	}
	return errors.Join(errs...)
}

// accept takes one request off the subscription and never blocks it.
func (s *server) accept(e *endpoint, msg *nats.Msg) {
	if msg.Reply == "" { // nobody could hear the answer, so nobody works for it
		s.bus.metrics.served.WithLabelValues(e.op.Name, "no_reply").Inc()
		s.bus.log.Debug("a request without a reply subject was ignored", "subject", msg.Subject)
		return
	}
	r := &Request{
		Subject: msg.Subject, Caller: s.bus.subjects.Caller(msg.Subject), Header: msg.Header, Body: msg.Data,
		bus: s.bus, plain: s.plain, reply: msg.Reply, arrived: time.Now(),
	}
	r.size = int64(len(msg.Data))
	waiting, bytes := e.waiting.Add(1), e.bytes.Add(r.size)
	if waiting > int64(waitingPerWorker*e.op.Workers+e.op.Workers) || waiting > 1 && bytes > waitingBytes {
		e.leave(r)
		s.refuse(e, r, &events.Error{
			Code: events.CodeUnavailable, Message: "overloaded: too many requests are waiting", Retryable: true, RetryAfter: time.Second,
		})
		return
	}
	s.hands.give(job{e, r})
}

// refuse answers a request that nobody works on.
func (s *server) refuse(e *endpoint, r *Request, why error) {
	ctx := ContextFromHeader(s.work, r.Header)
	if !s.bus.tracing {
		_ = s.finish(ctx, e, r, why) // answered, counted and logged there
		return
	}
	ctx, span := s.span(ctx, r)
	defer span.End()
	failed(span, s.finish(ctx, e, r, why))
}

// leave says that a request is not here any more.
func (e *endpoint) leave(r *Request) {
	e.waiting.Add(-1)
	e.bytes.Add(-r.size)
}

// serve runs the handler on one request, under a span.
func (s *server) serve(e *endpoint, r *Request) {
	defer e.leave(r)
	ctx := ContextFromHeader(s.work, r.Header)
	if !s.bus.tracing {
		_ = s.handle(ctx, e, r) // answered, counted and logged there
		return
	}
	ctx, span := s.span(ctx, r)
	defer span.End()
	if err := s.handle(ctx, e, r); err != nil {
		failed(span, err)
	}
}

// handle runs the handler on one request when its turn comes, and returns what it ended with.
func (s *server) handle(ctx context.Context, e *endpoint, r *Request) error {
	deadline, impatient, err := events.Deadline(r.Header, r.arrived)
	if err != nil {
		return s.finish(ctx, e, r, err)
	}
	if latest := time.Now().Add(e.op.Timeout); !impatient || latest.Before(deadline) {
		deadline = latest
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if e.controlled && (e.streams || events.HeaderValue(r.Header, events.HeaderRequestID) != "") { // of any other, nobody can say anything
		var quit context.CancelCauseFunc
		ctx, quit = context.WithCancelCause(ctx)
		defer quit(nil)
		leave, err := s.control(ctx, quit, e, r)
		if err != nil {
			return s.finish(ctx, e, r, err)
		}
		defer leave()
	}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return s.finish(ctx, e, r, ctx.Err())
	}
	err = ctx.Err() // the caller's patience may have ended while the request waited
	if err == nil {
		err = safely(func() error { return e.op.Handler(ctx, r) })
	}
	return s.finish(ctx, e, r, err)
}

// span starts the span of one request, at its arrival: what it waited for is a part of it.
func (s *server) span(ctx context.Context, r *Request) (context.Context, trace.Span) {
	ctx, span := s.bus.start(ctx, &s.bus.templates.of(r.Subject).served, trace.WithTimestamp(r.arrived))
	describe(span, r.Header, "", callerOf(r.Caller)...)
	return ctx, span
}

// control lets the caller of a request cancel it, and pace its stream. leave must be called when the request has ended.
func (s *server) control(ctx context.Context, quit context.CancelCauseFunc, e *endpoint, r *Request) (leave func(), err error) {
	r.ctx, r.quit = ctx, quit
	if e.streams {
		if r.window, err = events.Window(r.Header); err != nil {
			return nil, err
		}
		if r.pulse.every, err = events.Keepalive(r.Header); err != nil {
			return nil, err
		}
		r.controls, r.patience = s.controls, e.op.ReaderPatience
	}
	return s.controls.enter(r)
}

// finish answers what is still open, counts and logs the request and returns what it ended with.
func (s *server) finish(ctx context.Context, e *endpoint, r *Request, err error) error {
	said := partial(err)
	if err != nil && r.ctx != nil { // whatever the handler made of it
		if why, ended := errors.AsType[*events.Error](context.Cause(r.ctx)); ended {
			err = why
		}
	}
	if s.work.Err() != nil && events.CodeOf(err) == events.CodeCanceled { // the caller did not cancel anything; we stop
		err = &events.Error{Code: events.CodeUnavailable, Message: "the service is stopping; another replica may answer", Retryable: true, Err: err}
	}
	err, sendErr := r.finish(err, said)
	if sendErr != nil {
		s.bus.log.WarnContext(ctx, "the end of an answer could not be sent", "subject", r.Subject, "err", sendErr)
	}
	took := time.Since(r.arrived)
	e.stats.count(took, err)
	s.bus.observe(ctx, e.seconds, took)
	if err == nil {
		e.served.Inc()
		return nil
	}
	coded := events.AsError(err)
	s.logFailure(ctx, e, r, err, coded)
	s.bus.metrics.served.WithLabelValues(e.op.Name, string(coded.Code)).Inc()
	return err
}

// logFailure writes a line for what is our fault, and only a debug line for what is the caller's.
func (s *server) logFailure(ctx context.Context, e *endpoint, r *Request, err error, coded *events.Error) {
	attrs := []any{"operation", e.op.Name, "caller", r.Caller, "code", string(coded.Code), "err", err}
	if coded.Err != nil {
		attrs = append(attrs, "cause", coded.Err)
	}
	if panicked, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, "stack", string(panicked.stack))
	}
	if coded.Code == events.CodeInternal {
		s.bus.log.ErrorContext(ctx, "a request failed", attrs...)
		return
	}
	s.bus.log.DebugContext(ctx, "a request was answered with an error", attrs...)
}
