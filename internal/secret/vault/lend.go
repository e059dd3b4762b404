package vault

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// keep renews a lease at two thirds of its time, until it cannot be renewed any more: then who asks next gets a new one.
func (b *leases) keep(ctx context.Context, l *lease) {
	defer l.stop()
	for {
		if !pause(ctx, l.state().left()*2/3) {
			return
		}
		if !l.is(isRenewable) || !b.renew(ctx, l) {
			break
		}
	}
	l.note(func(l *lease) { l.due = true })
}

// renew renews a lease, and reports whether it is worth renewing again. What may pass is tried again while the lease lasts.
func (b *leases) renew(ctx context.Context, l *lease) bool {
	for !l.ended() {
		asked := time.Now()
		a, err := b.wire.write(ctx, l.session.token, "sys/leases/renew", map[string]string{"lease_id": l.id})
		switch {
		case err == nil && a.ok() && a.LeaseDuration > 0:
			l.note(func(l *lease) {
				l.term.ends = granted(asked, a.LeaseDuration).ends
				l.renewable, l.checked = a.Renewable, time.Now()
			})
			return a.Renewable && !l.state().shrinks()
		case err == nil && refused(a): // revoked, or not to be renewed
			return false
		case err == nil:
			err = a.refusal()
		}
		if ctx.Err() != nil {
			return false
		}
		b.log.WarnContext(ctx, "a lease of vault could not be renewed yet", "path", l.path, "lease_ends", l.until(), "err", err)
		pause(ctx, l.state().again())
	}
	return false
}

// revoke gives back what was lent to sessions that remain, and forgets all. Its error says how many leases could not be given
// back, until when, and why the last one could not.
func (b *leases) revoke(ctx context.Context, remain []*session) error {
	b.mu.Lock()
	all := slices.Clone(b.past)
	for _, l := range b.held {
		all = append(all, l)
	}
	b.held, b.past = nil, nil
	b.mu.Unlock()
	var last error
	var ends time.Time
	left := 0
	for _, l := range all {
		if l.ended() || !slices.Contains(remain, l.session) {
			continue
		}
		a, err := b.wire.write(ctx, l.session.token, "sys/leases/revoke", map[string]string{"lease_id": l.id})
		if err == nil && !a.ok() {
			err = a.refusal()
		}
		if err == nil {
			continue
		}
		left++
		last = err
		if until := l.until(); until.After(ends) {
			ends = until
		}
	}
	if last != nil {
		return fmt.Errorf("%d leases of vault could not be revoked, the last of which ends at %s; may the token update sys/leases/revoke? %w",
			left, ends.UTC().Format(time.RFC3339), last)
	}
	return nil
}
