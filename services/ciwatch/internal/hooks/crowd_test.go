package hooks_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/hooks"
)

// 2,000 forged webhooks a second, of all kinds, come beside 100 good ones, each of which is stored.
func TestForgedWebhooksDoNotDisturbGoodOnes(t *testing.T) {
	t.Parallel()
	const seconds, perSecond, goodPerSecond, clients = 3, 2000, 100, 64
	s := open(t, nil)
	large := strings.Repeat(" ", 30<<10) + run
	unsigned := http.Header{"Content-Type": {"application/json"}, "X-Github-Event": {"workflow_run"}, "X-Github-Delivery": {"f"}}
	forged := []http.Header{unsigned, fakegithub.Sign("workflow_run", "f", "a guess", []byte(large)), signed("workflow_run", "f", run)}

	tickets, group := make(chan int), sync.WaitGroup{}
	statuses := make([]int, seconds*perSecond)
	for range clients {
		group.Go(func() {
			for n := range tickets {
				got, err := s.send(t.Context(), http.MethodPost, path, forged[n%len(forged)], strings.NewReader(large))
				if err == nil {
					statuses[n] = got.status
				}
			}
		})
	}
	group.Go(func() { // ten at once, each hundredth of that
		tick := time.NewTicker(10 * time.Second / perSecond)
		defer tick.Stop()
		defer close(tickets)
		for n := range statuses {
			if n%10 == 0 {
				<-tick.C
			}
			tickets <- n
		}
	})
	took := make([]time.Duration, seconds*goodPerSecond)
	good := sync.WaitGroup{}
	tick := time.NewTicker(time.Second / goodPerSecond)
	defer tick.Stop()
	for n := range took {
		<-tick.C
		good.Go(func() {
			began := time.Now()
			got, err := s.send(t.Context(), http.MethodPost, path, signed("workflow_run", "good-"+strconv.Itoa(n), run), strings.NewReader(run))
			if err == nil && got.status == 202 {
				took[n] = time.Since(began)
			}
		})
	}
	good.Wait()
	group.Wait()

	slices.Sort(took)
	t.Logf("good ones took %v (p50), %v (p99)", took[len(took)/2], took[len(took)*99/100])
	require.NotZero(t, took[0], "all good ones are taken")
	require.Less(t, took[len(took)-1], patience)
	for n, status := range statuses {
		require.Equal(t, 401, status, n)
	}
	require.Equal(t, len(took), s.count())
	require.Equal(t, map[string]int{" unsigned": len(statuses), "workflow_run accepted": len(took)}, s.outcomes(t))
}

// Far more connections than there may be are held by requests that never end. Good ones come through, at once.
func TestSlowCrowdsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const most, crowd = 32, 100
	s := open(t, func(c *hooks.Config) {
		c.Bounds = hooks.Bounds{Connections: most, HeaderTime: 10 * time.Minute, BodyTime: 10 * time.Minute, Grace: 10 * time.Minute}
	})
	// A connection that is kept for later may be the eldest when it is wanted again.
	s.client = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for n := range crowd {
		w := s.dial(t)
		if n%2 == 0 {
			w.say(t, "POST "+path)
		} else {
			w.say(t, head(signed("workflow_run", "d-1", run), len(run))+run[:10])
		}
		if n%10 == 0 {
			id := strconv.Itoa(n)
			require.Equal(t, 202, s.post(t, signed("workflow_run", id, run), run).status)
			require.Equal(t, 202, s.post(t, signed("workflow_run", id+"-again", run), run).status)
		}
	}
	require.Equal(t, 2*crowd/10, s.count())
	eventually(t, "the others are closed", func() bool {
		return gauge(t, s, "mlsdm_ci_webhook_connections") <= most && gauge(t, s, "mlsdm_ci_webhook_connections_evicted_total") >= crowd-most
	})
}

// Memory is full of bodies that do not end. A good one throws out the eldest of them.
func TestUnfinishedBodiesGiveWay(t *testing.T) {
	t.Parallel()
	const buffer, places = 16 << 10, 4
	s := open(t, func(c *hooks.Config) {
		c.Bounds = hooks.Bounds{Memory: places*buffer + 1, Large: 1, BodyTime: 10 * time.Minute, Grace: 10 * time.Minute, RoomTime: patience}
	})
	var slow []*wire
	for n := range places {
		w := s.dial(t)
		w.say(t, head(signed("workflow_run", "d-1", run), len(run))+run[:10])
		slow = append(slow, w)
		eventually(t, "it has its memory", func() bool { return gauge(t, s, "mlsdm_ci_webhook_body_bytes") == float64((n+1)*buffer) })
	}
	require.Equal(t, 202, s.post(t, signed("workflow_run", "good", run), run).status)
	got := slow[0].hear(t)
	require.Equal(t, 503, got.status)
	require.Equal(t, "1", got.header.Get("Retry-After"))
	slow[1].say(t, run[10:])
	require.Equal(t, 202, slow[1].hear(t).status, "those that came later stay")
	eventually(t, "memory is given back", func() bool { return gauge(t, s, "mlsdm_ci_webhook_body_bytes") == 2*buffer })
}

// Large bodies that do not end fill the memory of large ones. The others have their own.
func TestLargeBodiesHaveMemoryOfTheirOwn(t *testing.T) {
	t.Parallel()
	const common, large = 64 << 10, 256 << 10
	s := open(t, func(c *hooks.Config) {
		c.Bounds = hooks.Bounds{Memory: 2*common + large, Large: large, Common: common, BodyTime: 10 * time.Minute, Grace: 10 * time.Minute, RoomTime: patience}
	})
	body := run + strings.Repeat(" ", 100<<10)
	header := signed("workflow_run", "large", body)
	w := s.dial(t)
	w.say(t, head(header, len(body))+body[:len(body)-1])
	eventually(t, "it holds its memory", func() bool { return gauge(t, s, "mlsdm_ci_webhook_body_bytes") == large })
	for n := range 10 {
		require.Equal(t, 202, s.post(t, signed("workflow_run", strconv.Itoa(n), run), run).status)
	}
	require.Equal(t, 202, s.post(t, header, body).status, "the next large one throws it out")
	require.Equal(t, 503, w.hear(t).status)
	eventually(t, "memory is given back", func() bool { return gauge(t, s, "mlsdm_ci_webhook_body_bytes") == 0 })
	larger := s.dial(t)
	larger.say(t, head(header, 3*len(body)))
	go func() { _, _ = io.WriteString(larger, strings.Repeat(body, 3)) }() // the door may close before it has all of it
	require.Equal(t, 503, larger.hear(t).status, "there is not as much")
}

// Whole bodies are not thrown out: whoever comes then is asked to come again.
func TestMemoryThatIsUsedUp(t *testing.T) {
	t.Parallel()
	began, proceed := make(chan struct{}), make(chan struct{})
	s := open(t, func(c *hooks.Config) {
		c.Bounds = hooks.Bounds{Memory: 16<<10 + 1, Large: 1, RoomTime: 100 * time.Millisecond}
		source := c.Sources[path]
		verify := source.Verify
		source.Verify = func(h http.Header, body []byte) bool {
			began <- struct{}{}
			<-proceed
			return verify(h, body)
		}
		c.Sources = map[string]hooks.Source{path: source}
	})
	first := make(chan int, 1)
	go func() {
		got, err := s.send(context.WithoutCancel(t.Context()), http.MethodPost, path, signed("workflow_run", "d-1", run), strings.NewReader(run))
		if err != nil {
			got.status = -1
		}
		first <- got.status
	}()
	<-began
	got := s.post(t, signed("workflow_run", "d-2", run), run)
	require.Equal(t, 503, got.status)
	require.Equal(t, "1", got.header.Get("Retry-After"))
	close(proceed)
	require.Equal(t, 202, <-first)
	require.Equal(t, map[string]int{" full": 1, "workflow_run accepted": 1}, s.outcomes(t))
}

// gauge is the value of a metric without labels.
func gauge(t testing.TB, s *stage, name string) float64 {
	t.Helper()
	families, err := s.metrics.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			m := family.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	require.Fail(t, "no such metric", name)
	return 0
}
