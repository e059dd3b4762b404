package moral

import "math"

// State is what a threshold is made of.
type State struct {
	// Threshold is the least score that passes, between the bounds.
	Threshold float64 `json:"threshold"`
	// EMA is the share of accepted contents, an exponential moving average, 0 to 1.
	EMA float64 `json:"ema"`
	// Count is how many decisions were made.
	Count uint64 `json:"count"`
}

// policy is the algorithm, as the engine defines it.
type policy struct {
	initial, least, most      float64
	target, band, step, alpha float64
}

func newPolicy(c *Config) policy {
	return policy{
		initial: c.Initial, least: c.Min, most: c.Max, target: c.Target, band: c.Band, step: c.Step, alpha: c.Alpha,
	}
}

// fresh is the state before the first decision. The share begins at the target, so that the first decisions do not move the threshold
// for want of others.
func (p policy) fresh() State { return State{Threshold: p.initial, EMA: p.target} }

// accepts decides about a score.
func (p policy) accepts(score, threshold float64) bool {
	switch {
	case score > p.most:
		return true
	case score < p.least:
		return false
	default:
		return score >= threshold
	}
}

// next is the state after a decision.
func (p policy) next(s State, accepted bool) State {
	outcome := 0.0
	if accepted {
		outcome = 1
	}
	s.EMA = exact(p.alpha*outcome + (1-p.alpha)*s.EMA)
	switch {
	case s.EMA > exact(p.target+p.band):
		s.Threshold += p.step
	case s.EMA < exact(p.target-p.band):
		s.Threshold -= p.step
	}
	s.Threshold = p.clamp(s.Threshold)
	s.Count++
	return s
}

// fold is the state after several decisions.
func (p policy) fold(s State, outcomes []bool) State {
	for _, accepted := range outcomes {
		s = p.next(s, accepted)
	}
	return s
}

// sane makes of a state that somebody else wrote, perhaps with other bounds, one that fits.
func (p policy) sane(s State) State {
	s.Threshold, s.EMA = p.clamp(s.Threshold), min(max(s.EMA, 0), 1)
	return s
}

func (p policy) clamp(threshold float64) float64 { return exact(min(max(threshold, p.least), p.most)) }

// exact takes away what binary fractions add to decimal ones: 0.5 and two steps of 0.05 are 0.6, which a score of 0.6 passes.
func exact(v float64) float64 { return math.Round(v*1e12) / 1e12 }
