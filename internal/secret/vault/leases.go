package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

const (
	// maxLeases is how many paths may be lent to us at a time.
	maxLeases = 1024
	// confirmed is how long a lease that Vault knows is not asked about again, and confirmWithin how long that may take.
	confirmed     = time.Second
	confirmWithin = 2 * time.Second
)

// lease is what Vault has lent to us at a path.
type lease struct {
	path    string
	id      string
	session *session // what it was lent to: it ends with it
	sealed  []byte   // the data of Vault's answer
	stop    context.CancelFunc

	mu        sync.Mutex
	term      term
	renewable bool
	due       bool // good until it ends, but a new one should be read
	gone      bool
	checked   time.Time
}

// version tells it from the lease before. It is no part of the id, with which a lease can be revoked.
func (l *lease) version() string {
	sum := sha256.Sum256([]byte(l.id))
	return hex.EncodeToString(sum[:8])
}

// until returns when it ends; zero is never.
func (l *lease) until() time.Time {
	ends, session := l.state().ends, l.session.until()
	if ends.IsZero() || !session.IsZero() && session.Before(ends) {
		return session
	}
	return ends
}

// ended reports whether it is of no more use.
func (l *lease) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone || l.term.over() || l.session.ended()
}

// state returns for how long it is lent.
func (l *lease) state() term {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term
}

// note changes what is known of it.
func (l *lease) note(change func(*lease)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// is reports something that is known of it.
func (l *lease) is(what func(*lease) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return what(l)
}

func isDue(l *lease) bool       { return l.due }
func isRenewable(l *lease) bool { return l.renewable && !l.due }
func isConfirmed(l *lease) bool { return !l.due && time.Since(l.checked) < confirmed }

// leases is what Vault has lent to us, one lease at a path.
type leases struct {
	ask    func(ctx context.Context, send func(context.Context, *session) (answer, error)) (answer, *session, error) // see Store.ask
	check  func(ctx context.Context, s *session) error                                                               // see tokens.check
	wire   wire
	life   *lifetime
	log    *slog.Logger
	sealer sealer

	flight singleflight.Group

	mu   sync.Mutex
	held map[string]*lease
	past []*lease // replaced, and good until they end
}

// found is the data at a path. Lease is nil for what is not lent.
type found struct {
	data  []byte
	lease *lease
}

// get returns what is at a path: what is lent to us there already, or what Vault says. Many who ask at once make one request,
// which goes on when ctx ends: what Vault lends then is lent, and to be used or given back.
func (b *leases) get(ctx context.Context, path string, query url.Values) (found, error) {
	if l := b.known(path); l != nil && l.is(isConfirmed) {
		return b.open(l)
	}
	flight := b.flight.DoChan(path+"?"+query.Encode(), func() (any, error) {
		if !b.life.begin() {
			return nil, errClosed
		}
		defer b.life.all.Done()
		return b.refresh(b.life.work, path, query)
	})
	select {
	case <-ctx.Done():
		return found{}, fmt.Errorf("asking vault: %w", ctx.Err())
	case result := <-flight:
		if l, ok := result.Val.(*lease); ok && result.Err == nil {
			return b.open(l)
		}
		data, _ := result.Val.([]byte)
		return found{data: slices.Clone(data)}, result.Err
	}
}

// open returns the data of a lease.
func (b *leases) open(l *lease) (found, error) {
	data, err := b.sealer.open(l.sealed)
	if err != nil {
		return found{}, fmt.Errorf("%w: a lease does not open: %w", secret.ErrUnavailable, err)
	}
	return found{data, l}, nil
}

// known returns the lease at a path that can be used, or nil.
func (b *leases) known(path string) *lease {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.held[path]; l != nil && !l.ended() {
		return l
	}
	return nil
}

// refresh returns the lease at a path, a new one where Vault does not know the old one any more or it cannot be renewed, or the
// data of what is not lent. While Vault cannot be asked, a lease is what it is until it ends.
func (b *leases) refresh(ctx context.Context, path string, query url.Values) (any, error) {
	l := b.known(path)
	if l != nil && !l.is(isDue) && b.confirm(ctx, l) {
		return l, nil
	}
	data, err := b.read(ctx, path, query)
	if l != nil && errors.Is(err, secret.ErrUnavailable) && !l.ended() {
		b.log.WarnContext(ctx, "vault lends nothing new yet; what was lent before is used", "path", path, "lease_ends", l.until(), "err", err)
		return l, nil
	}
	return data, err
}

// confirm asks whether Vault knows a lease: it may have been revoked there, which somebody meant. A Vault that cannot be asked,
// or does not tell us, is no reason to doubt it.
func (b *leases) confirm(ctx context.Context, l *lease) bool {
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	a, err := b.wire.write(ctx, l.session.token, "sys/leases/lookup", map[string]string{"lease_id": l.id})
	switch {
	case err != nil:
	case a.status == http.StatusBadRequest, a.status == http.StatusNotFound && a.genuine():
		b.log.WarnContext(ctx, "vault has revoked a lease", "path", l.path)
		b.drop(l)
	case a.status == http.StatusForbidden: // it may not look, or its token has ended, and the lease with it
		err = b.check(ctx, l.session)
	}
	if err != nil {
		b.log.DebugContext(ctx, "vault does not tell of a lease", "path", l.path, "err", err)
	}
	if l.ended() {
		return false
	}
	l.note(func(l *lease) { l.checked = time.Now() })
	return true
}

// read asks for what is at a path, and returns the lease or the data.
func (b *leases) read(ctx context.Context, path string, query url.Values) (any, error) {
	if b.full() {
		return nil, fmt.Errorf("%w: %d leases are held already", secret.ErrUnavailable, maxLeases)
	}
	asked := time.Now()
	a, s, err := b.ask(ctx, func(ctx context.Context, s *session) (answer, error) {
		asked = time.Now()
		return b.wire.read(ctx, s.token, path, query)
	})
	switch {
	case err != nil:
		return nil, err
	case a.status == http.StatusNotFound && looksVersioned(a.Data): // KV says there that it was deleted
		return []byte(a.Data), nil
	case !a.ok():
		return nil, a.refusal()
	case a.LeaseID == "":
		return []byte(a.Data), nil
	}
	l := &lease{
		path: path, id: a.LeaseID, session: s, sealed: b.sealer.seal(a.Data),
		term: granted(asked, a.LeaseDuration), renewable: a.Renewable, checked: time.Now(),
	}
	clear(a.Data)
	b.hold(l)
	return l, nil
}

// full reports whether no lease may be added. It forgets those that have ended.
func (b *leases) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for path, l := range b.held {
		if l.ended() {
			delete(b.held, path)
		}
	}
	b.past = slices.DeleteFunc(b.past, (*lease).ended)
	return len(b.held)+len(b.past) >= maxLeases
}

// hold makes a lease the one of its path, and has it renewed.
func (b *leases) hold(l *lease) {
	ctx, stop := context.WithCancel(b.life.keep)
	l.stop = stop
	b.mu.Lock()
	if old := b.held[l.path]; old != nil {
		old.stop()
		b.past = append(b.past, old)
	}
	b.held[l.path] = l
	b.mu.Unlock()
	if !l.state().ends.IsZero() {
		b.life.keeper(func(context.Context) { b.keep(ctx, l) })
	}
}

// drop forgets a lease that is no more.
func (b *leases) drop(l *lease) {
	l.note(func(l *lease) { l.gone = true })
	l.stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[l.path] == l {
		delete(b.held, l.path)
	}
}

// replaced is told of a session that is not the current one any more. What was lent to it ends with it.
func (b *leases) replaced(old *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.held {
		if l.session == old {
			l.note(func(l *lease) { l.due = true })
			l.stop()
		}
	}
}
