package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/top"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestTopOnce(t *testing.T) {
	t.Parallel()
	s := newTraced(t, events.ServiceEmbedder, events.ServiceDispatcher)
	s.endpoint(t, []string{"custom.>"}, []string{"20ms"})
	for range 3 {
		_, errs, code := s.ctl(t.Context(), "embed", "a text", "--json")
		require.Zero(t, code, errs)
	}
	_, errs, code := s.ctl(t.Context(), "embed", "--model", "none/of-these", "a text")
	require.NotZero(t, code, errs)

	out, errs, code := s.ctl(t.Context(), "top", "--once", "--json", "--interval", "500ms")
	require.Zero(t, code, errs)
	var r top.Report
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Empty(t, r.Notes)
	require.Greater(t, r.Seconds, 0.5)
	var services []string
	for _, service := range r.Services {
		require.NotEmpty(t, service.Replica)
		services = append(services, service.Name)
	}
	require.Equal(t, []string{events.ServiceDispatcher, events.ServiceEmbedder}, services)
	for _, o := range r.Operations {
		if o.Service == events.ServiceEmbedder && o.Name == "embed" {
			require.EqualValues(t, 4, o.Requests)
			require.EqualValues(t, 1, o.Errors)
			require.Positive(t, o.MeanMS)
			require.NotEmpty(t, o.LastError)
		}
	}
	require.Len(t, r.Streams, len(events.Streams()))
	require.Len(t, r.Consumers, len(events.Consumers()))
	require.Len(t, r.Endpoints, 1)
	require.Equal(t, "shop", r.Endpoints[0].ID)

	out, errs, code = s.ctl(t.Context(), "top", "--once", "--interval", "500ms", "--sort", "errors")
	require.Zero(t, code, errs)
	require.Contains(t, out, "2 replicas, ")
	for _, title := range []string{"SERVICE", "OPERATION", "STREAM", "CONSUMER", "ENDPOINT"} {
		require.Contains(t, out, "\n"+title+" ")
	}
	require.Regexp(t, `\nembedder embed +\S+ +\d+\.\d +\S+ +4 +1 +\S`, out)
	require.NotContains(t, out, "\x1b")
}

func TestTopCountsWhatIsNew(t *testing.T) {
	t.Parallel()
	s := newTraced(t, events.ServiceDispatcher)
	s.endpoint(t, []string{"custom.>"}, []string{"20ms"}, 503)
	first, err := top.Take(t.Context(), s.bus, "", nil)
	require.NoError(t, err)
	_, err = s.bus.PublishEvent(t.Context(), events.Event{ID: "1", Source: "/shop", Type: "custom.deploy", Time: time.Now()})
	require.NoError(t, err)
	require.Eventually(t, func() bool { // attempts are recorded a moment later
		last, err := top.Take(t.Context(), s.bus, "", first)
		require.NoError(t, err)
		r := top.Compare(first, last)
		return len(r.Endpoints) == 1 && r.Endpoints[0].Delivered > 0 && r.Endpoints[0].Retried == r.Endpoints[0].Delivered
	}, soon, 20*time.Millisecond)
}

func TestTopOfNothing(t *testing.T) {
	t.Parallel()
	bare := bustest.Start(t, bustest.Bare())
	out, errs, code := atServer(t.Context(), bare, "", "top", "--once", "--interval", "500ms")
	require.Zero(t, code, errs)
	require.Contains(t, out, "no service answers: `mlsdmctl up` starts all of them")
	require.Contains(t, out, "`mlsdmctl provision` makes them")
	_, errs, code = atServer(t.Context(), bare, "", "top", "--interval", "1ms")
	require.Equal(t, 2, code)
	require.Contains(t, errs, "it must be 500ms or more")
	_, errs, code = atNoServer(t, "top", "--once")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "`mlsdmctl up` starts one")
}

func TestTopShowsTheAgeOfWhatWaits(t *testing.T) {
	t.Parallel()
	s := newTraced(t, events.ServiceDispatcher)
	s.submit(t, "order-1", `{"input":"a text"}`)
	require.Eventually(t, func() bool {
		sample, err := top.Take(t.Context(), s.bus, "", nil)
		require.NoError(t, err)
		for _, c := range top.Compare(nil, sample).Consumers {
			if c.Name == events.ConsumerEmbedder {
				return c.Pending == 1 && c.OldestSeconds > 0.1
			}
		}
		return false
	}, soon, 20*time.Millisecond)
	screen := &liveTerminal{}
	ended := make(chan int, 1)
	go func() { // a terminal that keys cannot be read from is printed to
		ended <- run(t.Context(), []string{"--server", s.URL(), "top", "--once", "--interval", "500ms"},
			terminal{in: strings.NewReader(""), out: screen, err: screen, lookup: none})
	}()
	require.Zero(t, <-ended)
	require.Contains(t, screen.String(), "dispatcher-router")
}
