package tracker

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	maxDays      = 30
	secondsOfDay = 24 * 60 * 60
)

// Day counts what happened on a day (UTC).
type Day struct {
	// Day counts days since 1970.
	Day int `json:"d"`
	// Runs and Failed count the runs that failed or passed, and those that failed. A run is counted on the day on which it did so first;
	// a later attempt changes what it is counted as. Commits counts the commits of which a run did so.
	Runs    int `json:"r"`
	Failed  int `json:"f,omitempty"`
	Commits int `json:"c,omitempty"`
	// Recovered counts the ends of degraded health, and RecoveredAfter how many seconds it lasted in all.
	Recovered      int   `json:"k,omitempty"`
	RecoveredAfter int64 `json:"ks,omitempty"`
	// Green counts the ends of streaks of failures, and GreenAfter how many seconds they lasted in all.
	Green      int   `json:"g,omitempty"`
	GreenAfter int64 `json:"gs,omitempty"`
}

// isRecent reports whether the day is one of the 30 up to today.
func (d Day) isRecent(today int) bool { return d.Day > today-maxDays && d.Day <= today }

// dayOf is the day of a time.
func dayOf(t time.Time) int { return int(max(t.Unix(), 0) / secondsOfDay) }

// day returns the counts of a day; nil when it is too long ago.
func (s *State) day(day int) *Day {
	i, ok := slices.BinarySearchFunc(s.Days, day, func(d Day, day int) int { return cmp.Compare(d.Day, day) })
	if ok {
		return &s.Days[i]
	}
	if len(s.Days) > 0 && day <= s.Days[len(s.Days)-1].Day-maxDays {
		return nil
	}
	s.Days = slices.Insert(s.Days, i, Day{Day: day})
	return &s.Days[i]
}

// forget drops what is more than 30 days older than the newest day, and jobs whose run nobody has told of for a day.
func (s *State) forget() {
	s.Early = slices.DeleteFunc(s.Early, func(e EarlyJobs) bool { return e.At.Before(s.Last.CompletedAt.Add(-earlyPatience)) })
	if len(s.Days) == 0 {
		return
	}
	oldest := s.Days[len(s.Days)-1].Day - maxDays
	s.Days = slices.DeleteFunc(s.Days, func(d Day) bool { return d.Day <= oldest })
	for i := range s.Flaky {
		s.Flaky[i].Days = slices.DeleteFunc(s.Flaky[i].Days, func(d [2]int) bool { return d[0] <= oldest })
	}
	s.Flaky = slices.DeleteFunc(s.Flaky, func(j FlakyJob) bool { return len(j.Days) == 0 })
}

// countRun counts a run, or corrects what it was counted as.
func (s *State) countRun(r *Run, was byte, completed time.Time) {
	result := r.result()
	if result == was {
		return
	}
	if was != neither {
		if d := s.day(r.Day); d != nil {
			if result == failed {
				d.Failed++
			} else {
				d.Failed = max(d.Failed-1, 0)
			}
		}
		return
	}
	r.Day = dayOf(completed)
	d := s.day(r.Day)
	if d == nil {
		return
	}
	d.Runs++
	if result == failed {
		d.Failed++
	}
	if r.SHA != "" && !slices.ContainsFunc(s.Runs, func(other Run) bool { return other.ID != r.ID && other.SHA == r.SHA && other.Day > 0 }) {
		d.Commits++
	}
}

// countRecovery counts the end of degraded health.
func (s *State) countRecovery(moment time.Time) {
	if d := s.day(dayOf(moment)); d != nil {
		d.Recovered++
		d.RecoveredAfter += int64(span(s.Degraded.Since, moment).Seconds())
	}
}

// countGreen counts the end of a streak of failures.
func (s *State) countGreen(moment time.Time) {
	if d := s.day(dayOf(moment)); d != nil {
		d.Green++
		d.GreenAfter += int64(span(s.FailingSince, moment).Seconds())
	}
}

// Stats returns the figures of the 30 days up to now. How long runs waited and took is that of the last 64 runs, of those that failed or
// passed.
func (s State) Stats(now time.Time) events.CIStats {
	var (
		total Day
		out   events.CIStats
		today = dayOf(now)
	)
	for _, d := range s.Days {
		if !d.isRecent(today) {
			continue
		}
		total.Runs, total.Failed = total.Runs+d.Runs, total.Failed+d.Failed
		total.Recovered, total.RecoveredAfter = total.Recovered+d.Recovered, total.RecoveredAfter+d.RecoveredAfter
		total.Green, total.GreenAfter = total.Green+d.Green, total.GreenAfter+d.GreenAfter
	}
	out.Runs, out.Failed, out.Recoveries = total.Runs, total.Failed, total.Recovered
	out.FailureRate = min(mean(int64(total.Failed), total.Runs), 1)
	out.MeanTimeToRecovery, out.TimeToGreen = mean(total.RecoveredAfter, total.Recovered), mean(total.GreenAfter, total.Green)
	var queue, took []int64
	for _, r := range s.Runs {
		if r.result() == neither {
			continue
		}
		took = append(took, r.Took)
		if r.Queue >= 0 {
			queue = append(queue, r.Queue)
		}
	}
	out.QueueP50, out.QueueP95 = percentile(queue, 0.5), percentile(queue, 0.95)
	out.RunP50, out.RunP95 = percentile(took, 0.5), percentile(took, 0.95)
	return out
}

// mean divides; nothing by nothing is 0.
func mean(sum int64, count int) float64 {
	if count == 0 {
		return 0
	}
	return float64(sum) / float64(count)
}

// percentile returns, in seconds, the least of milliseconds that a share of them does not exceed.
func percentile(ms []int64, share float64) float64 {
	if len(ms) == 0 {
		return 0
	}
	slices.Sort(ms)
	return float64(ms[max(int(math.Ceil(share*float64(len(ms))))-1, 0)]) / 1000
}
