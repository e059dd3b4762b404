package lease

import (
	"context"
	"errors"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// sit tells others that this replica is there, until ctx ends.
func (l *Leases) sit(ctx context.Context) {
	for said := false; ctx.Err() == nil; {
		c, err := l.takeSeat(ctx)
		if err == nil {
			said = false
			l.keepSeat(ctx, c)
			continue
		}
		if !said {
			said = true
			l.log.WarnContext(ctx, "cannot tell other replicas of this one; trying until it is done", "err", err)
		}
		timer := time.NewTimer(l.cfg.TTL / 10)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// takeSeat takes the first seat that is free.
func (l *Leases) takeSeat(ctx context.Context) (*claim, error) {
	for from := 0; ; {
		l.mu.Lock()
		seat, revision, ok := l.view.seat(from, l.name, time.Now())
		l.mu.Unlock()
		if !ok {
			return nil, errors.New("there are too many replicas")
		}
		c := newClaim(l.kv, seatKey(seat), l.name, l.cfg.TTL)
		err := c.take(ctx, revision)
		switch {
		case err == nil:
			return c, nil
		case !errors.Is(err, bus.ErrConflict):
			return nil, err
		}
		from = seat + 1
	}
}

// keepSeat renews the seat until it is lost or ctx ends; then it is given up, so that others know at once.
func (l *Leases) keepSeat(ctx context.Context, c *claim) {
	timer := time.NewTimer(l.cfg.TTL / 3)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			if err := c.release(ctx); err != nil {
				l.log.WarnContext(ctx, "cannot tell other replicas that this one stops; they wait for it", "err", err)
			}
			return
		case <-timer.C:
		}
		err := c.renew(ctx)
		switch {
		case err == nil:
			timer.Reset(l.cfg.TTL / 3)
		case errors.Is(err, errOver):
			return
		default:
			timer.Reset(l.cfg.TTL / 10)
		}
	}
}
