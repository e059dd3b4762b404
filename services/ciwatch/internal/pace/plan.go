package pace

import "time"

const (
	minutes = 60 // that are remembered
	recent  = 10 // minutes from which a rate is taken
)

// Plan is what a planner does, and has done, for people and metrics.
type Plan struct {
	// Repositories are watched; Touched of them are to be polled because something happened, and InFlight are being polled.
	Repositories, Touched, InFlight int
	// PollsPerHour and CostPerHour are what is planned for routine polls: how many, and how many requests of them count.
	PollsPerHour, CostPerHour float64
	// BudgetPerHour is how many requests an hour may be made so that what is left lasts; 0 when no limit is known.
	BudgetPerHour float64
	// Stretch is by how much intervals are longer than they would be with all the budget that one could want; at least 1.
	Stretch float64
	// Polls, Free and Spent are of the last hour: polls, those of them that cost nothing because nothing had changed, and requests
	// that counted.
	Polls, Free, Spent int
	// RestUntil is when polls go on after a rate limit; the zero time when they do.
	RestUntil time.Time
	// TouchedOnly says that what is left is for touched repositories, until Reset.
	TouchedOnly bool
	// Reset is when a credential's window ends next; the zero time when no limit is known.
	Reset time.Time
}

// Plan returns what is planned and spent.
func (p *Planner) Plan(now time.Time) Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	perHour := p.rate / p.stretch * time.Hour.Seconds()
	plan := Plan{
		Repositories: len(p.repos), Touched: len(p.touched), InFlight: p.flying,
		PollsPerHour: perHour, CostPerHour: perHour * p.budget.cost, Stretch: p.stretch,
	}
	if p.rest.After(now) {
		plan.RestUntil = p.rest
	}
	if len(p.budget.creds) > 0 {
		left, rate, reset := p.budget.left(now, false)
		plan.TouchedOnly, plan.Reset = left < 1, reset
		plan.BudgetPerHour = rate * time.Hour.Seconds()
	}
	for _, m := range p.ledger.last(now, minutes) {
		plan.Polls += m.polls
		plan.Free += m.free
		plan.Spent += m.calls
	}
	return plan
}

// ledger counts what was done in each of the last minutes.
type ledger [minutes]minute

// minute is a minute's count.
type minute struct {
	number                    int64 // since 1970
	polls, free, calls        int
	touchedPolls, touchedCall int
}

// add counts a poll.
func (l *ledger) add(now time.Time, touched bool, o Outcome) {
	number := now.Unix() / 60
	m := &l[((number%minutes)+minutes)%minutes]
	if m.number != number {
		*m = minute{number: number}
	}
	m.polls++
	m.calls += o.Calls
	if o.NotModified && o.Err == nil {
		m.free++
	}
	if touched {
		m.touchedPolls++
		m.touchedCall += o.Calls
	}
}

// last returns the counts of the last n minutes, this one being one.
func (l *ledger) last(now time.Time, n int64) []minute {
	var last []minute
	for _, m := range l {
		if age := now.Unix()/60 - m.number; age >= 0 && age < n {
			last = append(last, m)
		}
	}
	return last
}

// touchedRates returns what polls of touched repositories cost a second: requests that count, and polls.
func (l *ledger) touchedRates(now time.Time) (calls, polls float64) {
	for _, m := range l.last(now, recent) {
		calls += float64(m.touchedCall)
		polls += float64(m.touchedPolls)
	}
	const seconds = recent * 60
	return calls / seconds, polls / seconds
}
