package space

import "time"

// SetMost has fewer models be pinned.
func (p *Pins) SetMost(n int) { p.most = n }

// EventID is the id of the event of a refusal.
func EventID(name, revision string, pinned, seen int, now time.Time) string {
	return eventID(alarm{model: model{name, revision}, pinned: pinned, seen: seen}, now)
}
