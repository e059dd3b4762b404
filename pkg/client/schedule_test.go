package client

import (
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestSchedules(t *testing.T) {
	t.Parallel()
	of := func(option HandleOption) schedule {
		var set handleSettings
		option.applyHandle(&set)
		return set.retry
	}
	for name, c := range map[string]struct {
		schedule schedule
		attempts int
		least    []time.Duration
		most     []time.Duration
	}{
		"fast": {of(RetryFast()), 3, []time.Duration{time.Second, 2 * time.Second}, []time.Duration{1500 * time.Millisecond, 2500 * time.Millisecond}},
		"standard": {of(RetryStandard()), 10, []time.Duration{4 * time.Second, 4 * time.Minute, 24 * time.Minute}, []time.Duration{
			6 * time.Second, 6 * time.Minute, 36 * time.Minute, 144 * time.Minute, 6 * time.Hour, 12 * time.Hour, 1008 * time.Minute, 24 * time.Hour, 1728 * time.Minute,
		}},
		"own":  {of(RetryWaits(0, 10*time.Second)), 3, []time.Duration{0, 8 * time.Second}, []time.Duration{0, 12 * time.Second}},
		"none": {of(RetryWaits()), 1, nil, nil},
	} {
		if err := c.schedule.check(); err != nil {
			t.Error(name, err)
		}
		if got := c.schedule.attempts(); got != c.attempts {
			t.Errorf("%s: %d attempts, want %d", name, got, c.attempts)
		}
		for range 100 {
			for i, least := range c.least {
				if got := c.schedule.wait(i + 1); got < least {
					t.Errorf("%s: wait %d is %s, want at least %s", name, i+1, got, least)
				}
			}
			for i, most := range c.most {
				if got := c.schedule.wait(i + 1); got > most {
					t.Errorf("%s: wait %d is %s, want at most %s", name, i+1, got, most)
				}
			}
		}
		if got := c.schedule.wait(1000); got < 0 { // crashes count as attempts too
			t.Errorf("%s: wait 1000 is %s", name, got)
		}
	}
	for _, bad := range []HandleOption{RetryWaits(-1), RetryWaits(events.MaxEndpointWait + 1), RetryWaits(make([]time.Duration, events.MaxEndpointRetries+1)...)} {
		if events.CodeOf(of(bad).check()) != events.CodeInvalidArgument {
			t.Error("taken:", of(bad).waits)
		}
	}
}
