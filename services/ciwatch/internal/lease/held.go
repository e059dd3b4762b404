package lease

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// held is a shard that this replica leads, or whose work has not returned yet.
type held struct {
	shard int
	fence uint64
	claim *claim // for keep only

	ctx      context.Context // of the work
	end      context.CancelFunc
	revision atomic.Uint64 // of the key, as last written
	until    atomic.Pointer[time.Time]
	leaving  atomic.Bool // it is being given away
	ended    atomic.Bool // the lease is known to be over, whatever until says
}

// newHeld makes a held shard of a claim that was taken. The work's context ends with ctx.
func newHeld(ctx context.Context, shard int, c *claim) *held {
	h := &held{shard: shard, fence: c.revision, claim: c}
	h.ctx, h.end = context.WithCancel(ctx)
	h.renewed()
	return h
}

// renewed shows to others what the claim says.
func (h *held) renewed() {
	until := h.claim.until
	h.until.Store(&until)
	h.revision.Store(h.claim.revision)
}

// valid reports whether nobody else may lead the shard.
func (h *held) valid(now time.Time) bool { return !h.ended.Load() && before(now, *h.until.Load()) }

// giveAway ends the work, so that another replica can do it.
func (h *held) giveAway() {
	h.leaving.Store(true)
	h.end()
}

// keep does the work and renews the lease until the work has returned, and gives the shard back. It reports whether the work
// returned although nobody had asked for it.
func (h *held) keep(ctx context.Context, log *slog.Logger, lead func(context.Context, Lease)) (own bool) {
	defer h.end()
	// In a timer of its own, because a renewal may hang.
	expiry := time.AfterFunc(time.Until(h.claim.until), h.end)
	defer expiry.Stop()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		lead(h.ctx, Lease{Shard: h.shard, Fence: h.fence, held: h})
	}()
	err := h.renewUntil(ctx, returned, expiry, log)
	own = h.ctx.Err() == nil
	h.over() // before others may know of it
	if err != nil {
		log.WarnContext(ctx, "lost a shard", "shard", h.shard, "fence", h.fence, "err", err)
		return own
	}
	if err := h.claim.release(ctx); err != nil {
		log.WarnContext(ctx, "a shard could not be given back; others wait until its lease is over", "shard", h.shard, "err", err)
		return own
	}
	log.InfoContext(ctx, "gave a shard back", "shard", h.shard, "fence", h.fence)
	return own
}

// renewUntil renews the lease until the work has returned. It returns an error when the lease was over before that.
func (h *held) renewUntil(ctx context.Context, returned <-chan struct{}, expiry *time.Timer, log *slog.Logger) error {
	pause := h.claim.ttl / 3
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for said := false; ; {
		select {
		case <-returned:
			return nil
		case <-timer.C:
		}
		err := h.claim.renew(ctx)
		switch {
		case err == nil:
			h.renewed()
			expiry.Reset(time.Until(h.claim.until))
			timer.Reset(pause)
			said = false
			continue
		case errors.Is(err, errOver):
			h.over()
			<-returned
			return err
		case !said:
			said = true
			log.WarnContext(ctx, "a lease could not be renewed; trying until it is over", "shard", h.shard, "err", err)
		}
		timer.Reset(h.claim.ttl / 10)
	}
}

// over ends the work and the lease: it is never valid again.
func (h *held) over() {
	h.ended.Store(true)
	h.end()
}
