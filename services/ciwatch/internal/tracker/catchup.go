package tracker

import (
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// oldNews is the age at which an alarm that opened and closed while nobody watched is not told any more.
const oldNews = 15 * time.Minute

// Resume says, before the next [State.Advance], that nobody watched until at: what Advance consumes of the time before is caught
// up. The alarms and streaks that began and ended in it, and ended more than 15 minutes before now, are counted and not told:
// neither ci.run_failed nor ci.degraded of a failure that is over, nor what says that it is over. What began before and ended
// meanwhile is told, and so is what lasts. Flaky commits, recoveries that failed and, with [Rules.AllRuns], the runs
// themselves are always told. It holds for one call of Advance and is not part of what is stored.
func (s State) Resume(at time.Time) State {
	s.resumed = at
	return s
}

// batch is what one call of Advance tells.
type batch struct {
	events       []Event
	now, resumed time.Time
	allRuns      bool
	began        int // where in events the trouble began that lasts, when that was in this batch; else -1
}

// add tells events.
func (b *batch) add(out ...Event) { b.events = append(b.events, out...) }

// crossed is told of trouble, failing or worse, before and after an attempt, whose events begin at a place. When trouble is over
// that was none before the batch, and that was long ago, nobody hears of it.
func (b *batch) crossed(before, after bool, from int, moment time.Time) {
	switch {
	case !before && after:
		b.began = from
	case before && !after:
		if b.began >= 0 && moment.Before(b.resumed) && b.now.Sub(moment) > oldNews {
			b.silence(b.began)
		}
		b.began = -1
	}
}

// silence takes back what was told of health from a place on.
func (b *batch) silence(from int) {
	rest := slices.DeleteFunc(b.events[from:], func(ev Event) bool {
		switch ev.Payload.(type) {
		case events.CIDegraded, events.CIRecovered:
			return true
		case events.CIRunFailed, events.CIRunSucceeded:
			return !b.allRuns
		default:
			return false
		}
	})
	b.events = b.events[:from+len(rest)]
}
