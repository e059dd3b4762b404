package upstream

import (
	"context"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

const (
	// limitsKnown is how long it is believed what a server takes at once, and limitsUnknown how long that it does not tell.
	limitsKnown, limitsUnknown = 10 * time.Minute, 10 * time.Second
	// limitsTimeout bounds the question.
	limitsTimeout = 5 * time.Second
	// maxLimits is for how many models it is remembered; the names of models may come from callers.
	maxLimits = 256
)

// limits are what is known of a model.
type limits struct {
	llm.EmbedLimits

	// known says that the server has told.
	known bool
	// stale is when it is asked again.
	stale time.Time
	// asking is closed when the question that is under way is answered; nil: there is none.
	asking chan struct{}
}

// Limits returns what the server takes at once, so far as it tells. It is asked once in a while; until the answer is there, what it said
// last holds good. Who asks first waits, but for no longer than ctx.
func (u *Upstream) Limits(ctx context.Context, model string) llm.EmbedLimits {
	u.mu.Lock()
	l := u.limits[model]
	if l == nil {
		if len(u.limits) >= maxLimits {
			clear(u.limits) // who waits for an answer has its own
		}
		l = &limits{}
		u.limits[model] = l
	}
	if l.asking == nil && !time.Now().Before(l.stale) {
		l.asking = make(chan struct{})
		go u.learn(context.WithoutCancel(ctx), model, l)
	}
	before, asking := l.EmbedLimits, l.asking
	settled := l.known || asking == nil
	u.mu.Unlock()
	if settled {
		return before
	}
	select {
	case <-asking:
	case <-ctx.Done():
		return llm.EmbedLimits{}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return l.EmbedLimits
}

// learn asks the server.
func (u *Upstream) learn(ctx context.Context, model string, l *limits) {
	told, known := u.told(ctx, model)
	u.mu.Lock()
	defer u.mu.Unlock()
	if known {
		l.EmbedLimits, l.known = told, true
	}
	l.stale = time.Now().Add(limitsUnknown)
	if known {
		l.stale = time.Now().Add(limitsKnown)
	}
	close(l.asking)
	l.asking = nil
}

// told is what the server says, if it does.
func (u *Upstream) told(ctx context.Context, model string) (told llm.EmbedLimits, known bool) {
	defer func() {
		if v := recover(); v != nil {
			u.opts.Logger.ErrorContext(ctx, "the limits of a model cannot be asked for", "model", model, "panic", fmt.Sprint(v))
		}
	}()
	use := u.ring.Use()
	t, why := use.Take(model, time.Now())
	if why != nil {
		return llm.EmbedLimits{}, false
	}
	// That it answers this does not say that it answers more.
	defer func() { t.End(ctx, &llm.Fault{Class: llm.ClassCanceled}, time.Now()) }()
	ctx, cancel := context.WithTimeout(ctx, limitsTimeout)
	defer cancel()
	told, err := u.adapter.EmbedLimits(ctx, model, t.Key())
	if err != nil {
		u.opts.Logger.DebugContext(ctx, "a provider does not tell its limits", "model", model, "err", err)
		return llm.EmbedLimits{}, false
	}
	return told, true
}
