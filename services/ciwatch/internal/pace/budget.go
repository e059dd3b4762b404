package pace

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

const (
	shortestWindow = time.Minute
	longestWindow  = time.Hour // unless the forge says a later reset
	mostWindow     = 24 * time.Hour
	firstCost      = 0.05 // of a routine poll, until it is known
	mostStretch    = 1000
	burstSeconds   = 6   // of the rate of polls
	slack          = 0.7 // of a rate is planned; the rest is for what cannot be, and for repositories that are not to wait too long
	patience       = 4   // rounds through all repositories that one of them waits at most
)

// budget is what polls may cost: requests that count, out of what is left of the credentials' limits, and polls of all kinds.
type budget struct {
	cfg   Config
	creds map[string]*credential
	calls bucket
	polls bucket
	cost  float64 // of a routine poll, in requests that count

	reserved float64 // for polls that have begun
	sharers  float64 // planners that spend of the same credentials, this one included
}

// credential is a credential's limit as it is at a time that was told, less what was spent since.
type credential struct {
	limit, remaining, spent float64
	reset                   time.Time
	window                  time.Duration
}

func newBudget(cfg Config) budget {
	b := budget{cfg: cfg, creds: make(map[string]*credential), cost: firstCost, sharers: 1}
	b.polls.tokens = b.pollRate() * burstSeconds
	return b
}

// pollRate is how many polls there may be a second.
func (b *budget) pollRate() float64 { return float64(b.cfg.PerMinute) / 60 / b.sharers }

// told takes in what the forge said. What it does not say of a credential is not used; of a window that is over it says nothing.
func (b *budget) told(now time.Time, quotas []forge.Quota) {
	known := len(b.creds) > 0
	creds := make(map[string]*credential, len(quotas))
	for _, q := range quotas {
		if q.Limit <= 0 {
			continue
		}
		limit := float64(q.Limit)
		c := &credential{limit: limit, remaining: min(max(float64(q.Remaining), 0), limit), spent: max(float64(q.Spent), 0), window: shortestWindow}
		if before := b.creds[q.Credential]; before != nil {
			c.window = before.window
		}
		c.reset = earlier(q.Reset, now.Add(mostWindow))
		c.window = max(c.window, min(q.Reset.Sub(q.At), longestWindow))
		c.roll(now)
		creds[q.Credential] = c
	}
	b.refill(now)
	b.creds = creds
	if !known {
		b.calls.tokens = b.burst()
	}
}

// roll begins the windows that have begun since.
func (c *credential) roll(now time.Time) {
	if c.reset.After(now) {
		return
	}
	c.remaining, c.spent = c.limit, 0
	c.reset = now.Add(c.window - now.Sub(c.reset)%c.window)
}

// left returns the requests that one of several sharers may spend until the reset: routine polls leave the reserve.
func (c *credential) left(cfg Config, touched bool, sharers float64) float64 {
	remaining := c.remaining
	if !touched {
		remaining -= cfg.Reserve * c.limit
	}
	return max(min(remaining/sharers, cfg.Share*c.limit-c.spent), 0)
}

// left returns the requests that may be spent now, and how many a second so that they last; and when there will be more.
func (b *budget) left(now time.Time, touched bool) (left, rate float64, reset time.Time) {
	for _, c := range b.creds {
		c.roll(now)
		l := c.left(b.cfg, touched, b.sharers)
		left += l
		rate += l / max(c.reset.Sub(now).Seconds(), 1)
		if reset.IsZero() || c.reset.Before(reset) {
			reset = c.reset
		}
	}
	return left - b.reserved, rate, reset
}

// burst is how many requests may be made at once.
func (b *budget) burst() float64 {
	limit := 0.0
	for _, c := range b.creds {
		limit += c.limit
	}
	return max(limit/20/b.sharers, 1)
}

// refill brings the buckets to now.
func (b *budget) refill(now time.Time) {
	b.polls.refill(now, b.pollRate(), max(b.pollRate()*burstSeconds, 1))
	if len(b.creds) == 0 {
		return
	}
	left, rate, _ := b.left(now, false)
	if left < 1 {
		left, rate, _ = b.left(now, true)
	}
	b.calls.refill(now, rate, max(min(b.burst(), left), 1))
}

// gate returns when the budget allows the next poll.
func (b *budget) gate(now time.Time, touched bool) time.Time {
	b.refill(now)
	gate := now.Add(b.polls.wait(b.pollRate()))
	if len(b.creds) == 0 {
		return gate
	}
	left, rate, reset := b.left(now, touched)
	if left < 1 {
		return latest(gate, reset)
	}
	return latest(gate, earlier(now.Add(b.calls.wait(rate)), reset))
}

// reserve takes what a poll may cost.
func (b *budget) reserve(now time.Time, calls float64) {
	b.refill(now)
	b.polls.tokens--
	b.calls.tokens -= calls
	b.reserved += calls
}

// spend takes what a poll has cost instead of what was reserved for it.
func (b *budget) spend(now time.Time, reserved float64, calls int) {
	b.refill(now)
	spent := float64(calls)
	b.reserved = max(b.reserved-reserved, 0)
	b.calls.tokens = max(b.calls.tokens+reserved-spent, -b.burst())
	b.polls.tokens = max(b.polls.tokens-max(spent-1, 0), -float64(b.cfg.PerMinute))
	var most *credential
	for _, c := range b.creds {
		if most == nil || c.remaining > most.remaining {
			most = c
		}
	}
	if most != nil { // until the forge says so itself
		most.remaining = max(most.remaining-spent, 0)
		most.spent += spent
	}
}

// learn takes in what a routine poll has cost, one of n repositories: over some rounds, so that it is no news when all of
// them are to be asked anew, as they are with a new token.
func (b *budget) learn(calls, n int) {
	b.cost += (float64(calls) - b.cost) / float64(min(max(4*n, 256), 4000))
}

// calm begins slowly after a rest.
func (b *budget) calm(until time.Time) {
	b.polls.tokens, b.polls.at = min(b.polls.tokens, 0), until
}

// stretch returns by how much waits are to be longer for rate polls a second of n repositories to be within the budget, beside
// those of touched ones; and the time that none is to wait for longer because of that.
func (b *budget) stretch(now time.Time, n int, rate, touchedCalls, touchedPolls float64) (stretch float64, longest time.Duration) {
	perSecond := b.pollRate()
	stretch = max(rate/max(slack*perSecond-touchedPolls, perSecond/10), 1)
	round := float64(n) / perSecond
	if left, calls, _ := b.left(now, false); left >= 1 {
		stretch = max(stretch, rate*b.cost/max(slack*calls-touchedCalls, calls/10))
		round = max(round, float64(n)*b.cost/calls)
	}
	longest = time.Duration(min(patience*round, mostWindow.Seconds()) * float64(time.Second))
	return min(stretch, mostStretch), max(longest, b.cfg.Max)
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	at     time.Time // when it had them
}

// refill adds what came at rate a second, up to most.
func (b *bucket) refill(now time.Time, rate, most float64) {
	if !b.at.IsZero() && now.After(b.at) {
		b.tokens += rate * now.Sub(b.at).Seconds()
	}
	b.tokens = min(b.tokens, most)
	b.at = latest(b.at, now)
}

// wait returns how long it takes until there is a token.
func (b *bucket) wait(rate float64) time.Duration {
	if b.tokens >= 1 {
		return 0
	}
	const enough = 1e6 // seconds
	return time.Duration(min((1-b.tokens)/rate, enough) * float64(time.Second))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
