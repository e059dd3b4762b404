package generator_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	limit    = 1000             // requests a minute
	asked    = 5 * limit        // requests in all
	callers  = 16               // requests at a time
	enough   = 25 * time.Second // of a minute, for all of them
	slack    = limit / 100
	lostTime = 10 * time.Second // after which a request counts as lost with who had it
)

// outcome is what became of the requests of one run.
type outcome struct{ passed, refused, lost, other atomic.Int64 }

// Three replicas have one cap between them, also when one of them is killed in the middle.
func TestThreeReplicasSpendOneCap(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"GENERATOR_RETRIES": "0"})
	runs := 0
	for _, killed := range []bool{false, true} {
		// A run that a minute's end cuts in two shows nothing: it is made again.
		within := false
		for range 5 {
			// Each has a name, and so counts, of its own.
			runs++
			h.configure(t, fmt.Sprintf("limits: {wait: 8s, rules: [{name: run %d, requests_per_minute: %d}]}\n", runs, limit))
			if within = h.spend(t, killed); within {
				break
			}
		}
		require.True(t, within, "no run of %d requests fits into a minute", asked)
	}
}

// spend has three replicas asked, and reports whether all of that was within one minute.
func (h *house) spend(t *testing.T, killed bool) (within bool) {
	t.Helper()
	first := h.start(t)
	others := []interface{ Kill() }{h.start(t), h.start(t)}
	h.replicas(t, 3)
	defer func() {
		for _, p := range others {
			p.Kill()
		}
		if !killed {
			first.Kill()
		}
	}()
	freshMinute(t)
	began, paid := time.Now(), h.provider.paid()
	var o outcome
	var kill sync.Once
	var work sync.WaitGroup
	var next atomic.Int64
	for range callers {
		work.Go(func() {
			for next.Add(1) <= asked {
				h.askOne(&o)
				if killed && o.passed.Load() >= limit/2 {
					kill.Do(first.Kill)
				}
			}
		})
	}
	work.Wait()
	if !time.Now().Truncate(time.Minute).Equal(began.Truncate(time.Minute)) {
		t.Logf("%d requests took %s, across the end of a minute", asked, time.Since(began).Round(time.Millisecond))
		return false
	}
	paid = h.provider.paid() - paid
	passed, lost := int(o.passed.Load()), int(o.lost.Load())
	t.Logf("killed: %v; %d asked in %s: %d passed, %d refused, %d lost with the replica, %d paid", killed, asked,
		time.Since(began).Round(time.Millisecond), passed, o.refused.Load(), lost, paid)
	require.Zero(t, o.other.Load(), "every other answer is a refusal")
	require.LessOrEqual(t, passed, limit+slack)
	require.LessOrEqual(t, paid, limit+slack, "what was bought")
	require.GreaterOrEqual(t, passed+lost, limit-slack, "and no less: what a replica takes with it is what it had in hand")
	if killed {
		require.LessOrEqual(t, lost, callers)
	} else {
		require.Zero(t, lost)
		require.Equal(t, passed, paid)
	}
	return true
}

// askOne makes one request.
func (h *house) askOne(o *outcome) {
	reply, err := h.nc.Request("mlsdm.generate", []byte(`{"prompt":"x"}`), lostTime)
	switch {
	case errors.Is(err, nats.ErrTimeout):
		o.lost.Add(1)
	case err != nil:
		o.other.Add(1)
	case reply.Header.Get(events.HeaderErrorCode) == "":
		o.passed.Add(1)
	case reply.Header.Get(events.HeaderErrorCode) == string(events.CodeRateLimited):
		o.refused.Add(1)
	default:
		o.other.Add(1)
	}
}

// freshMinute waits for the next minute, unless enough of this one is left.
func freshMinute(t *testing.T) {
	t.Helper()
	now := time.Now()
	rest := now.Truncate(time.Minute).Add(time.Minute).Sub(now)
	if rest >= enough {
		return
	}
	t.Logf("waiting %s for the next minute", rest.Round(time.Second))
	<-time.After(rest)
}
