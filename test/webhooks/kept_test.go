package webhooks_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// numberKey is what an event's number stands behind.
	numberKey = `"n":`
	// behind is how late a machine that has much to do may be with what is handed out again.
	behind = 5 * time.Second
	// mostRepeats is the share of webhooks that may arrive twice, where a kill is seldom.
	mostRepeats = 0.01
	// inHand is how many deliveries a replica works on, first attempts and later ones.
	inHand = 160
)

// requireKept checks that every event has been taken by each receiver, is in dead letters, or waits.
func (s *stack) requireKept(t *testing.T, receivers []*receiver) {
	t.Helper()
	dead, waiting := map[string]map[int]bool{}, map[string]map[int]bool{}
	s.hold(t, "deadletters.deliveries.>", dead)
	for _, subject := range []string{"deliveries.ready.*", "deliveries.later.*", "deliveries.again.*"} {
		s.hold(t, subject, waiting)
	}
	for _, r := range receivers {
		r.mu.Lock()
		lost := 0
		for n, got := range r.got {
			if got.taken.IsZero() && !dead[r.id][n] && !waiting[r.id][n] {
				lost++
			}
		}
		t.Logf("%s: %d events in %d requests: %d taken, %d in dead letters, %d wait", r.id, len(r.got), r.requests, r.distinct, len(dead[r.id]), len(waiting[r.id]))
		r.mu.Unlock()
		require.Zero(t, lost, "events for %s are lost", r.id)
	}
}

// hold notes which events wait on a subject, for each endpoint.
func (s *stack) hold(t *testing.T, subject string, all map[string]map[int]bool) {
	t.Helper()
	subject = events.Subjects{}.Below(subject)
	name, err := s.js.StreamNameBySubject(within(t), subject)
	require.NoError(t, err)
	from, err := s.js.Stream(within(t), name)
	require.NoError(t, err)
	for next := uint64(1); ; {
		m, err := from.GetMsg(t.Context(), next, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return
		}
		require.NoError(t, err)
		next = m.Sequence + 1
		goal := cmp.Or(m.Header.Get(events.HeaderScheduleTarget), m.Subject)
		endpoint := goal[strings.LastIndexByte(goal, '.')+1:]
		_, number, ok := bytes.Cut(m.Data, []byte(numberKey))
		require.True(t, ok, "%s", m.Data)
		var n int
		_, err = fmt.Fscan(bytes.NewReader(number), &n)
		require.NoError(t, err, "%s", m.Data)
		if all[endpoint] == nil {
			all[endpoint] = map[int]bool{}
		}
		all[endpoint][n] = true
	}
}

// requireFewRepeats checks that events were taken twice seldom, and only after something was killed: not before the first
// kill, and not when what was held by the last has been handed out again.
func (s *stack) requireFewRepeats(t *testing.T, receivers []*receiver, ackWait time.Duration) {
	t.Helper()
	repeats, taken := 0, 0
	for _, r := range receivers {
		r.mu.Lock()
		taken += r.distinct
		for _, again := range r.repeated {
			repeats++
			require.True(t, s.killedBefore(again.again, ackWait+behind), "event %d was taken by %s at %s and again at %s, although nothing was killed then: %v",
				again.number, r.id, again.before.Format(time.StampMilli), again.again.Format(time.StampMilli), s.kills)
		}
		r.mu.Unlock()
	}
	t.Logf("%d webhooks were taken, %d of them twice, %d processes were killed", taken, repeats, len(s.kills))
	most := float64(taken) * mostRepeats
	if !full() { // so many kills in so short a time: what was in the hands of those who were killed may come twice
		hands := 0
		for _, k := range s.kills {
			hands += inHand
			if k.nats { // none of the replicas could tell what it had done
				hands += len(s.replicas) * inHand
			}
		}
		most = float64(hands)
	}
	require.Less(t, float64(repeats), max(1, most), "too many webhooks arrive twice")
}

// killedBefore reports whether something was killed no longer than a while before a time.
func (s *stack) killedBefore(at time.Time, while time.Duration) bool {
	return slices.ContainsFunc(s.kills, func(k kill) bool { return !at.Before(k.at) && !at.After(k.over.Add(while)) })
}
