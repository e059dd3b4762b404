package retry

import (
	"context"
	"time"
)

// Pause waits for d and reports true, or false when ctx ends before. A wait that does not end before the deadline of ctx is not begun: it
// would leave no time for what is to follow.
func Pause(ctx context.Context, d time.Duration) bool {
	if deadline, bounded := ctx.Deadline(); bounded && d >= time.Until(deadline) {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Await is a [Pause] until end and a little longer (a tenth of it, at most 1 s, times rnd()), so that not all who wait come at the same
// moment. It does not begin when end is further away than most. rnd returns a number in [0, 1).
func Await(ctx context.Context, end time.Time, most time.Duration, rnd func() float64) bool {
	wait := max(time.Until(end), 0)
	if wait > most {
		return false
	}
	return Pause(ctx, wait+time.Duration(rnd()*float64(min(wait/10, time.Second))))
}
