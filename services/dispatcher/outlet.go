package dispatcher

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

// outlet is the way by which everything is posted. Its guard can be replaced by one with another proxy, while posts are on their
// way: those end as they began.
type outlet struct{ guard atomic.Pointer[egress.Guard] }

func newOutlet(guard *egress.Guard) *outlet {
	o := &outlet{}
	o.guard.Store(guard)
	return o
}

// CheckURL is that of the guard.
func (o *outlet) CheckURL(u *url.URL) error { return o.guard.Load().CheckURL(u) }

// client returns a client that follows the guard.
func (o *outlet) client(options egress.ClientOptions) *http.Client {
	e := &exit{outlet: o, options: options}
	followed := *e.take().client
	followed.Transport = e
	return &followed
}

// exit is the transport of one such client: that of the guard there is now.
type exit struct {
	outlet  *outlet
	options egress.ClientOptions

	mu  sync.Mutex
	now atomic.Pointer[guarded]
}

// guarded is a client of a guard.
type guarded struct {
	guard  *egress.Guard
	client *http.Client
}

// take returns the client of the guard there is now. The connections that that of the guard before keeps open are closed: they
// lead through the proxy before.
func (e *exit) take() *guarded {
	if now := e.now.Load(); now != nil && now.guard == e.outlet.guard.Load() {
		return now
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	guard, before := e.outlet.guard.Load(), e.now.Load()
	switch {
	case before == nil:
	case before.guard == guard:
		return before
	default:
		defer before.client.CloseIdleConnections()
	}
	made := &guarded{guard: guard, client: guard.Client(e.options)}
	e.now.Store(made)
	return made
}

// RoundTrip implements [http.RoundTripper].
func (e *exit) RoundTrip(r *http.Request) (*http.Response, error) {
	return e.take().client.Transport.RoundTrip(r)
}

// Post implements [egress.Poster].
func (e *exit) Post(ctx context.Context, p *egress.Post) (*http.Response, error) {
	poster, ok := e.take().client.Transport.(egress.Poster)
	if !ok {
		return nil, errors.New("the client of the guard does not post")
	}
	return poster.Post(ctx, p)
}

// CloseIdleConnections closes what nobody uses.
func (e *exit) CloseIdleConnections() { e.take().client.CloseIdleConnections() }
