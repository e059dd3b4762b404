package job

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// embed has the texts of gaps embedded, several calls at once, and stores what comes. When something fails, or the process is about to
// stop, no new call is made; those on their way have been paid for, and are waited for.
func (r *run) embed(ctx context.Context, missing []gap) error {
	work := &queue{calls: cut(missing, r.req.Size), stopping: r.req.Call.Stopping}
	nonce := rand.Text()
	var group sync.WaitGroup
	for range min(r.jobs.opts.Parallel, len(work.calls)) {
		group.Go(func() {
			for {
				call, more := work.next(ctx)
				if !more {
					return
				}
				work.do(func() error { return r.call(ctx, call, nonce) })
			}
		})
	}
	group.Wait()
	return work.outcome(ctx)
}

// queue hands out calls.
type queue struct {
	stopping <-chan struct{}

	mu    sync.Mutex
	calls []gap
	err   error // the first
}

// next returns what to do next, if anything.
func (q *queue) next(ctx context.Context) (gap, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil || len(q.calls) == 0 {
		return gap{}, false
	}
	select {
	case <-q.stopping:
		q.err = fmt.Errorf("%w: the service stops", bus.ErrGivenBack)
		return gap{}, false
	case <-ctx.Done():
		q.err = context.Cause(ctx)
		return gap{}, false
	default:
	}
	call := q.calls[0]
	q.calls = q.calls[1:]
	return call, true
}

// do does one thing; what fails, or panics, ends the handing out.
func (q *queue) do(work func() error) {
	var err error
	defer func() {
		if p := recover(); p != nil { // one bad text must not take the process down
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		q.fail(err)
	}()
	err = work()
}

// fail ends the handing out if there is an error.
func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
}

// outcome is the error that ended it.
func (q *queue) outcome(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return q.err
}

// call embeds a row of texts in one call, and stores what became of them. What fails for a reason that lies not in a text is not
// stored; the error says what it was.
func (r *run) call(ctx context.Context, g gap, nonce string) error {
	answer, err := r.req.Embed(ctx, r.req.Texts[g.first:g.first+g.count])
	if err != nil {
		return err
	}
	if len(answer.Items) != g.count {
		return events.Errorf(events.CodeInternal, "%d texts were embedded, and %d things became of them", g.count, len(answer.Items))
	}
	var failed error
	from := 0 // of those that wait to be stored
	for i, item := range answer.Items {
		switch {
		case item.Err == nil && len(item.Vector) != answer.Space.Dimensions:
			return events.Errorf(events.CodeInternal, "a vector has %d numbers in the space %s, which has %d dimensions",
				len(item.Vector), answer.Space.ID, answer.Space.Dimensions)
		case item.Err == nil, itsOwn(item.Err):
			continue
		case failed == nil:
			failed = item.Err
		}
		if err := r.store(ctx, g.first+from, answer, answer.Items[from:i], nonce); err != nil {
			return err
		}
		from = i + 1
	}
	if err := r.store(ctx, g.first+from, answer, answer.Items[from:], nonce); err != nil {
		return err
	}
	return failed
}

// itsOwn reports whether an error is the fault of the text.
func itsOwn(err error) bool {
	switch events.CodeOf(err) {
	case events.CodeInvalidArgument, events.CodeUnsupported, events.CodeContentRejected:
		return true
	default:
		return false
	}
}

// store stores what became of a row of texts as one part, or as several where one message cannot hold it.
func (r *run) store(ctx context.Context, first int, answer Answer, items []Item, nonce string) error {
	if len(items) == 0 {
		return nil
	}
	p := newPart(r.identity, first, answer.Model, answer.Space, items)
	if p.Space.Dimensions > 0 {
		if err := r.agree(p.Space); err != nil {
			return err
		}
	}
	const headers = 4 << 10 // what a message has beside its body
	if size := int64(len(p.rows)) + headers; size > r.jobs.bus.MaxPayload() && len(items) > 1 {
		return r.halve(ctx, first, answer, items, nonce)
	}
	body, err := p.encode()
	if err != nil {
		return err
	}
	if int64(len(body))+headers > r.jobs.bus.MaxPayload() && len(items) > 1 {
		return r.halve(ctx, first, answer, items, nonce)
	}
	call := r.req.Call
	_, err = r.jobs.bus.Publish(ctx, bus.Msg{
		Subject: r.jobs.bus.Subjects().Part(call.Caller, call.ID, token(r.identity, first, len(items), call.Attempt)),
		// The nonce is that of this attempt: a part that was removed with all others may have to be stored again a moment later.
		ID:   "part-" + nonce + "-" + strconv.Itoa(first) + "-" + strconv.Itoa(len(items)),
		Body: body,
	})
	if err != nil {
		return fmt.Errorf("the vectors of texts %d to %d could not be stored: %w", first, first+len(items)-1, err)
	}
	r.progress.add(p)
	return nil
}

// halve stores two parts in the place of one that is too large.
func (r *run) halve(ctx context.Context, first int, answer Answer, items []Item, nonce string) error {
	half := len(items) / 2
	if err := r.store(ctx, first, answer, items[:half], nonce); err != nil {
		return err
	}
	return r.store(ctx, first+half, answer, items[half:], nonce)
}
