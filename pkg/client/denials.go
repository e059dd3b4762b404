package client

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// denials ends the wait for an answer that cannot come. A server that forbids a publish does not answer it: it reports
// the subject on the side, and whoever asked would otherwise learn of it as a timeout.
type denials struct {
	mu      sync.Mutex
	waiting map[string]map[*waiter]struct{} // by subject
}

type waiter struct{ cancel context.CancelCauseFunc }

func newDenials() *denials {
	return &denials{waiting: make(map[string]map[*waiter]struct{})}
}

// await returns a ctx that ends, with an error of code permission_denied as its cause, when a publish to subject is
// denied. release must be called.
func (d *denials) await(ctx context.Context, subject string) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &waiter{cancel}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting[subject] == nil {
		d.waiting[subject] = make(map[*waiter]struct{})
	}
	d.waiting[subject][w] = struct{}{}
	return ctx, func() {
		cancel(nil)
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.waiting[subject], w)
		if len(d.waiting[subject]) == 0 {
			delete(d.waiting, subject)
		}
	}
}

// watch returns an error handler of the connection that looks for denials and calls next.
func (d *denials) watch(next nats.ErrHandler) nats.ErrHandler {
	return func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			d.deny(err)
		}
		if next != nil {
			next(nc, sub, err)
		}
	}
}

// deny cancels the waits that err is about. The server quotes the subject in its text and gives it nowhere else; a text
// that reads otherwise ends no wait, and the timeout remains.
func (d *denials) deny(err error) {
	_, quoted, ok := strings.Cut(err.Error(), `"`)
	if !ok {
		return
	}
	subject, _, _ := strings.Cut(quoted, `"`)
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range d.waiting[subject] {
		w.cancel(events.Errorf(events.CodePermissionDenied, "NATS does not permit this user to publish on %s: %w", subject, err))
	}
}
