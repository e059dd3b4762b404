package door

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// durable describes the durable door to the bus.
func (d *Doors) durable() bus.ConsumeConfig {
	subjects := d.bus.Subjects()
	return bus.ConsumeConfig{
		Stream: subjects.StreamName(events.StreamRequests), Durable: d.opts.Service, Workers: d.opts.Workers,
		MaxAttempts: d.opts.MaxAttempts, Backoff: d.opts.Backoff, DrainTimeout: d.opts.DrainTimeout,
		DeadSubject: func(*bus.Message) string { return subjects.DeadRequest(d.opts.Kind) },
		GiveUp: func(ctx context.Context, m *bus.Message, cause error) error {
			r := d.open(m)
			if settled, err := d.standing(ctx, r); settled || err != nil {
				return err
			}
			r.call.Report.Model = askedModel(m.Body) // the worker, who knew it, is not asked again
			if err := d.answer(ctx, r, nil, cause); err != nil {
				return err
			}
			d.settled(ctx, r, cause)
			return nil
		},
		Progress: d.progress(),
	}
}

// request is a durable request on its way to its answer.
type request struct {
	*bus.Message

	call   *Call
	id     string        // names the result
	named  bool          // by whoever asks
	ttl    time.Duration // how long the result is kept
	chunks *chunks       // nil unless the answer is kept in chunks, too
	// wrong is what is wrong with the request's headers. It is answered in the place of any work.
	wrong error
}

// open reads the headers of a durable request. Whatever they are, the request gets an id and a lifetime under which it
// can be answered.
func (d *Doors) open(m *bus.Message) *request {
	r := &request{
		Message: m, ttl: events.DefaultResultTTL,
		call: &Call{
			Caller: d.bus.Subjects().Caller(m.Subject), Header: m.Header, Body: m.Body, Limit: d.limit(), Durable: true, Attempt: m.Attempt,
			Stopping: d.stopping, Report: &events.RequestProcessed{}, kind: d.opts.Kind,
		},
	}
	header := events.HeaderRequestID
	if r.id = events.HeaderValue(m.Header, header); r.id == "" {
		header = events.HeaderMsgID
		r.id = events.HeaderValue(m.Header, header)
	}
	r.named = r.id != ""
	if !r.named {
		r.id = r.sequence()
	} else if err := events.CheckToken("the request id (header "+header+")", r.id); err != nil {
		r.refuse(events.AsError(err).Message)
	}
	r.call.ID = r.id
	if d.opts.KeepChunks && streamed(m.Body) {
		r.chunks = &chunks{doors: d, request: r}
	}
	ttl, err := events.ResultTTL(m.Header)
	if err == nil {
		r.ttl = ttl
	} else if r.wrong == nil {
		r.wrong = err
	}
	r.call.Keep = r.ttl
	return r
}

// progress is what the bus asks before it gives a request up.
func (d *Doors) progress() func(context.Context, *bus.Message) (int, error) {
	if d.opts.Progress == nil {
		return nil
	}
	return func(ctx context.Context, m *bus.Message) (int, error) { return d.opts.Progress(ctx, d.open(m).call) }
}

// settled tells that a request has its answer.
func (d *Doors) settled(ctx context.Context, r *request, failure error) {
	if d.opts.Settled != nil {
		d.opts.Settled(ctx, r.call, failure)
	}
}

// handleDurable does one stored request. What it returns decides whether the bus hands the request out again: a failure
// that may pass is returned, everything else is answered and done.
func (d *Doors) handleDurable(ctx context.Context, m *bus.Message) error {
	r := d.open(m)
	if settled, err := d.standing(ctx, r); settled || err != nil {
		return err
	}
	body, err := d.do(ctx, r)
	if ctx.Err() != nil { // a shutdown: another replica has the time
		return fmt.Errorf("%w: %w", bus.ErrGivenBack, ctx.Err())
	}
	if errors.Is(err, bus.ErrGivenBack) {
		return err
	}
	if err != nil && passes(err) {
		wait := events.AsError(err).RetryAfter
		switch {
		case !d.patient(r, wait): // a later answer would be for nobody
		case wait > 0:
			return retry.After(err, wait)
		default:
			return err
		}
	}
	if err != nil && events.CodeOf(err) == events.CodeInternal { // the caller is told the code only; here is the cause
		d.log.ErrorContext(ctx, "a durable request failed", "subject", m.Subject, "sequence", m.Sequence, "attempt", m.Attempt, "err", err)
	}
	if stored := d.answer(ctx, r, body, err); stored != nil {
		return stored
	}
	if r.call.InParts {
		d.settled(ctx, r, err)
	}
	return nil
}

// do runs the worker within the time that the caller and the operator give.
func (d *Doors) do(ctx context.Context, r *request) ([]byte, error) {
	if r.wrong != nil {
		return nil, r.wrong
	}
	ctx, cancel := context.WithTimeout(ctx, d.opts.DurableTimeout)
	defer cancel()
	deadline, limited, err := events.Deadline(r.Header, r.Time)
	if err != nil {
		r.wrong = err
		return nil, err
	}
	if limited {
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	if err := ctx.Err(); err != nil { // it waited in the stream for longer than the caller did
		return nil, err
	}
	if r.chunks != nil {
		r.call.Send = func(chunk []byte) error { return r.chunks.send(ctx, chunk) }
		defer r.chunks.settle(ctx)
	}
	r.call.ID = r.id
	body, err := d.work(ctx, r.call)
	if err == nil && body == nil {
		return nil, events.Errorf(events.CodeInternal, "a durable request was done without an answer")
	}
	if err == nil && len(body) > r.call.Limit {
		return nil, events.Errorf(events.CodeInvalidArgument, "the reply has %d bytes; one message takes at most %d: ask for less at once", len(body), r.call.Limit)
	}
	return body, err
}

// askedModel reads the model out of a request that was given up; empty when the request names none.
func askedModel(body []byte) string {
	var asked struct {
		Model string `json:"model"`
	}
	const longest = 256
	if json.Unmarshal(body, &asked) != nil || len(asked.Model) > longest {
		return ""
	}
	return asked.Model
}

// passes reports whether a failure may pass by itself. What carries no code is a fault of ours, and may.
func passes(err error) bool {
	var coded *events.Error
	return !errors.As(err, &coded) || coded.Retryable
}

// patient reports whether the caller will still want an answer after a wait.
func (d *Doors) patient(r *request, wait time.Duration) bool {
	deadline, limited, err := events.Deadline(r.Header, r.Time)
	return err == nil && (!limited || time.Now().Add(wait).Before(deadline))
}

// answer stores the reply, or the error, under the request's id, and ends its chunks. Doing so twice for the same request
// stores it once.
func (d *Doors) answer(ctx context.Context, r *request, body []byte, failure error) error {
	header := map[string][]string{events.HeaderContentType: {events.ContentTypeJSON}}
	if failure != nil {
		header, body = d.failed(r, failure).Encode(int64(r.call.Limit))
	}
	if err := d.store(ctx, r, header, body); err != nil {
		return err
	}
	d.finish(ctx, r.id, events.DoorDurable, r.call, r.Time, failure)
	return d.endChunks(ctx, r, body, failure, false)
}

// failed is how the failure of a request is told.
func (d *Doors) failed(r *request, failure error) bus.StreamEnd {
	end := bus.StreamEnd{Err: failure, Usage: r.call.usage()}
	if told, ok := errors.AsType[partial](failure); ok {
		end.Partial = told.Partial()
	}
	return end
}

// partial is an error that tells what was said before it.
type partial interface {
	error
	Partial() *events.ChatResponse
}

// store keeps a result.
func (d *Doors) store(ctx context.Context, r *request, header map[string][]string, body []byte) error {
	header[events.HeaderRequestID] = []string{r.id}
	header[events.HeaderRequestOrigin] = []string{r.origin()}
	if r.wrong == nil { // it is not about the body: the same with a better header is another request
		header[events.HeaderRequestHash] = []string{r.call.Hash()}
	}
	header[events.HeaderMsgTTL] = []string{seconds(r.ttl)}
	_, err := d.bus.Publish(ctx, bus.Msg{
		Subject: d.bus.Subjects().Result(r.call.Caller, r.id),
		// The time tells apart what a stream and the one made anew in its place stored under one sequence.
		ID:     fmt.Sprintf("result-%s-%s", r.Stream, r.origin()),
		Header: header, Body: body,
	})
	if err != nil {
		return fmt.Errorf("the result of request %s could not be stored: %w", r.id, err)
	}
	return nil
}

// seconds writes a life as JetStream reads it.
func seconds(d time.Duration) string { return strconv.FormatInt(int64(d.Seconds()), 10) + "s" }
