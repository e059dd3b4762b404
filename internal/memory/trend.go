package memory

import "time"

// trendWindow is how far back a trend looks.
const trendWindow = time.Minute

// trend knows how much was in use of late.
type trend struct{ samples []sample }

// sample is what was in use at a time.
type sample struct {
	at   time.Time
	used int64
}

// note adds a sample, and forgets those that are too old.
func (t *trend) note(at time.Time, used int64) {
	old := 0
	for old < len(t.samples) && at.Sub(t.samples[old].at) > trendWindow {
		old++
	}
	t.samples = append(t.samples[:0], t.samples[old:]...)
	t.samples = append(t.samples, sample{at, used})
}

// perSecond returns how many bytes a second the use has grown since the oldest sample; 0 when that is not known.
func (t *trend) perSecond() float64 {
	if len(t.samples) == 0 {
		return 0
	}
	first, last := t.samples[0], t.samples[len(t.samples)-1]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0
	}
	return float64(last.used-first.used) / seconds
}
