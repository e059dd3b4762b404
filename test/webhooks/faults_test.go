package webhooks_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// faultsType is the type of the events.
	faultsType = "custom.faults"
	// hangs is the endpoint that answers nothing.
	hangs = "hangs"
)

// plan is how long the test is.
type plan struct {
	events    int
	perSecond int           // events published a second
	ackWait   time.Duration // after which what a killed process held is handed out again
}

// TestFaults kills a replica of three every two seconds, and the NATS server once, while events go to twenty endpoints, five of
// which are bad in their own ways. Every event reaches every healthy endpoint; what did not reach a bad one is in dead
// letters, or waits. Nothing arrives twice but after a kill.
func TestFaults(t *testing.T) {
	t.Parallel()
	p := plan{events: 1000, perSecond: 100, ackWait: 5 * time.Second}
	if full() {
		p = plan{events: 50_000, perSecond: 300, ackWait: 30 * time.Second}
	}
	random := seeded(t)
	s := startStack(t, 3, p.ackWait)
	healthy, bad := newReceivers(p.events)
	all := append(append([]*receiver{}, healthy...), bad...)
	url := serve(t, all...)
	for _, r := range all {
		spec := events.EndpointSpec{ID: r.id, URL: url + "/" + r.id, Events: []string{faultsType}, Retry: []string{"300ms", "1s", "2s"}}
		if r.id == hangs {
			spec.Timeout = "1s"
		}
		s.create(t, spec)
	}
	published := s.publishAll(t, p)

	kill := time.NewTicker(2 * time.Second)
	defer kill.Stop()
	var news watch
	for serverKilled := false; ; {
		done := sum(healthy, (*receiver).progress)
		if serverKilled && published.all() && done >= len(healthy)*p.events*99/100 {
			break
		}
		news.check(t, done, "webhooks to healthy endpoints")
		if !serverKilled && done > len(healthy)*p.events/2 {
			s.killNATS(t)
			serverKilled = true
		}
		<-kill.C
		if done < len(healthy)*p.events/4 { // a quarter without faults, so that what comes twice then is known for a fault of ours
			continue
		}
		s.killReplica(t, random.IntN(len(s.replicas)))
	}
	for want := len(healthy) * p.events; ; {
		done := sum(healthy, (*receiver).progress)
		if done == want {
			break
		}
		news.check(t, done, "the last webhooks to healthy endpoints")
		<-time.After(50 * time.Millisecond)
	}
	require.NoError(t, published.wait())
	s.routed(t)
	for _, replica := range s.replicas { // so that nothing moves
		replica.Kill()
	}
	s.requireKept(t, bad)
	s.requireFewRepeats(t, all, p.ackWait)
}

// newReceivers returns fifteen healthy receivers and five bad ones.
func newReceivers(events int) (healthy, bad []*receiver) {
	for n := range 15 {
		healthy = append(healthy, newReceiver("healthy-"+strconv.Itoa(n), events, take))
	}
	return healthy, []*receiver{
		newReceiver(hangs, events, hang), newReceiver("refuses", events, refuse), newReceiver("flaps", events, flap),
		newReceiver("is-slow", events, slowDown), newReceiver("hangs-up", events, hangUp),
	}
}

// publishing is what publishes in the background.
type publishing struct {
	done chan struct{}
	err  error // valid once done is closed
}

// all reports whether everything is published.
func (p *publishing) all() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait waits for the end.
func (p *publishing) wait() error {
	<-p.done
	return p.err
}

// publishAll publishes the events of a plan, each until it is acked, no more at once than it takes.
func (s *stack) publishAll(t *testing.T, p plan) *publishing {
	t.Helper()
	const atOnce = 16
	ctx, cancel := context.WithCancel(t.Context())
	running := &publishing{done: make(chan struct{})}
	numbers := make(chan int)
	var group sync.WaitGroup
	var once sync.Once
	for range atOnce {
		group.Go(func() {
			for n := range numbers {
				if err := s.publish(ctx, faultsType, "faults-"+strconv.Itoa(n), fmt.Appendf(nil, `{"n":%d}`, n)); err != nil {
					once.Do(func() { running.err = err })
				}
			}
		})
	}
	go func() {
		defer close(running.done)
		tick := time.NewTicker(time.Second / time.Duration(p.perSecond))
		defer tick.Stop()
		for n := range p.events {
			<-tick.C
			numbers <- n
		}
		close(numbers)
		group.Wait()
	}()
	t.Cleanup(func() {
		cancel()
		<-running.done
	})
	return running
}

// watch sees to it that something goes on.
type watch struct {
	last  int
	since time.Time
}

// check fails the test when a number has not changed for long.
func (w *watch) check(t *testing.T, now int, what string) {
	t.Helper()
	if now != w.last || w.since.IsZero() {
		w.last, w.since = now, time.Now()
		return
	}
	require.Less(t, time.Since(w.since), patience, "%s: %d, and no more", what, now)
}

// sum adds up what the receivers say.
func sum(receivers []*receiver, number func(*receiver) int) int {
	total := 0
	for _, r := range receivers {
		total += number(r)
	}
	return total
}
