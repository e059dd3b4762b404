package moral_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
)

// run runs a filter until the test ends, or until stop is called, and waits until it knows the stored state.
func run(t *testing.T, f *moral.Filter) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	select {
	case <-f.Ready():
	case <-time.After(patience):
		require.Fail(t, "the stored state is never known")
	}
	return stop
}

// count waits until a filter knows of so many decisions, and none of them waits to be written.
func count(t *testing.T, f *moral.Filter, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return f.State().Count == uint64(n) && f.Pending() == 0 }, patience, 5*time.Millisecond,
		"it never knows of %d decisions", n)
}

// Three replicas on a closed bus have one state; each goes on with it when it starts again.
func TestReplicasShareTheState(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t, bustest.Closed())
	var filters []*moral.Filter
	var stops []func()
	for range 3 {
		f := filterOn(t, srv, moral.Default())
		filters, stops = append(filters, f), append(stops, run(t, f))
	}
	const each = 300
	var working sync.WaitGroup
	for i, f := range filters {
		working.Go(func() {
			for n := range each {
				value := "0.95"
				if (n+i)%2 == 0 {
					value = "0.1"
				}
				err := f.Prompt(t.Context(), subject(), valued("hi", value))
				if (err == nil) != (value == "0.95") {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
	for _, f := range filters {
		count(t, f, 3*each)
		require.Equal(t, filters[0].State(), f.State())
	}
	state := filters[0].State()
	for _, stop := range stops {
		stop()
	}
	again := filterOn(t, srv, moral.Default())
	run(t, again)
	require.Equal(t, state, again.State())
}

// What was decided is written when the filter is told to stop; of one that is killed, only what it had not written is lost.
func TestStopAndKill(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	first := filterOn(t, srv, moral.Default())
	stop := run(t, first)
	for range 10 {
		require.NoError(t, first.Prompt(t.Context(), subject(), valued("hi", "1")))
	}
	stop() // at once
	killed := filterOn(t, srv, moral.Default())
	stop = run(t, killed)
	require.EqualValues(t, 10, killed.State().Count)
	for range 1000 {
		require.NoError(t, killed.Prompt(t.Context(), subject(), valued("hi", "1")))
	}
	require.Eventually(t, func() bool { return killed.Pending() < moral.FlushAfter }, patience, time.Millisecond)
	other := srv.Connect(t, "hand")
	kv, err := other.KV(t.Context(), events.BucketMoral)
	require.NoError(t, err)
	value, _, err := kv.Get(t.Context(), "state")
	require.NoError(t, err)
	require.GreaterOrEqual(t, read(t, value).Count, uint64(1010-moral.FlushAfter))
	stop()
}

// A server that restarts holds nobody up, and the outcomes come when it is there again.
func TestServerThatRestarts(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	a, b := filterOn(t, srv, moral.Default()), filterOn(t, srv, moral.Default())
	run(t, a)
	run(t, b)
	total := 0
	for range 2 {
		for range 100 {
			require.NoError(t, a.Prompt(t.Context(), subject(), valued("hi", "1")))
			require.Error(t, b.Prompt(t.Context(), subject(), valued("hi", "0")))
			total += 2
		}
		srv.Restart(t)
	}
	count(t, a, total)
	count(t, b, total)
	require.Equal(t, a.State(), b.State())
}

// The bucket may come later than the filter.
func TestBucketThatComesLater(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t, bustest.Bare())
	f := filterOn(t, srv, moral.Default())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	require.NoError(t, f.Prompt(t.Context(), subject(), valued("hi", "1")))
	srv.Provision(t)
	count(t, f, 1)
	cancel()
	require.NoError(t, <-done)

	without := filterOn(t, bustest.Start(t, bustest.Bare()), moral.Default())
	ctx, cancel = context.WithCancel(context.Background())
	go func() { done <- without.Run(ctx) }()
	cancel()
	require.NoError(t, <-done)
}

// Who waits for the bucket is not ready: nobody goes on alone.
func TestNobodyGoesOnAlone(t *testing.T) {
	t.Parallel()
	said := make(chan string, 100)
	handler := slog.NewTextHandler(heard(said), nil)
	srv := bustest.Start(t, bustest.Bare())
	f, err := moral.New(moral.Default(), moral.Deps{
		Bus: srv.Connect(t, events.ServiceGenerator), HTTP: client(t), Source: "/mlsdm/generator", Logger: slog.New(handler),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	for line := ""; !strings.Contains(line, "cannot be reached"); {
		select {
		case line = <-said:
		case <-time.After(patience):
			require.Fail(t, "nothing is said")
		}
		require.NotContains(t, line, "alone")
	}
	select {
	case <-f.Ready():
		require.Fail(t, "it is ready")
	default:
	}
	srv.Provision(t)
	<-f.Ready()
	cancel()
	require.NoError(t, <-done)
}

// heard takes what is logged.
type heard chan<- string

// Write implements [io.Writer].
func (h heard) Write(line []byte) (int, error) {
	select {
	case h <- string(line):
	default:
	}
	return len(line), nil
}

// Every decision is an event, with score, threshold and reason, and without the text.
func TestEvents(t *testing.T) {
	t.Parallel()
	street := doortest.Start(t)
	all := street.Listen(t, "mlsdm.events.moral_filter.>")
	c := newCustom(t, scores(func(text string) float64 {
		if strings.Contains(text, "bad") {
			return 0.2
		}
		return 0.95
	}))
	cfg := c.config()
	cfg.Output, cfg.Window, cfg.Overlap = true, 40, 10
	for _, include := range []bool{false, true} {
		cfg.IncludeText = include
		f := filterOn(t, street.Server, cfg)
		run(t, f)
		before := f.State().Threshold
		require.Error(t, f.Prompt(t.Context(), subject(), prompt("bad "+canary)))
		m := all.Next(t)
		require.Equal(t, include, strings.Contains(string(m.Body), canary), string(m.Body))
		rejected := decoded[events.MoralFilterReject](t, m)
		require.Equal(t, events.MoralFilterReject{
			RequestID: "req-1", Caller: "shop", Model: "openai/m", Stage: "prompt", Score: 0.2, Threshold: before,
			Reason: rejected.Reason, Categories: []string{"a", "b"}, Text: rejected.Text,
		}, rejected)
		require.Contains(t, rejected.Reason, "the score 0.2 (http) is below the threshold")
		require.Equal(t, include, rejected.Text == "bad "+canary)
		require.Equal(t, include, strings.Contains(rejected.Reason, "because of"))

		require.NoError(t, f.Prompt(t.Context(), subject(), valued(canary, "0.9")))
		m = all.Next(t)
		require.Equal(t, include, strings.Contains(string(m.Body), canary))
		accepted := decoded[events.MoralFilterAccept](t, m)
		require.InDelta(t, 0.9, accepted.Score, 0)
		require.Contains(t, accepted.Reason, "(metadata.moral_value) is not below")

		require.NoError(t, send(f.Window(t.Context(), subject(), func(*events.ChatChunk) error { return nil }),
			piece(canary), piece(strings.Repeat("x", 100)), finish(0)))
		m = all.Next(t)
		require.Equal(t, include, strings.Contains(string(m.Body), canary))
		require.Equal(t, "completion", decoded[events.MoralFilterAccept](t, m).Stage)

		require.Error(t, send(f.Window(t.Context(), subject(), func(*events.ChatChunk) error { return nil }),
			piece(canary), piece(strings.Repeat("x", 100)), piece("bad"), finish(0)))
		require.Equal(t, "completion", decoded[events.MoralFilterReject](t, all.Next(t)).Stage)
	}
	all.Nothing(t)
}

// Images are not judged, and an event says so.
func TestEventTellsOfImages(t *testing.T) {
	t.Parallel()
	street := doortest.Start(t)
	all := street.Listen(t, "mlsdm.events.moral_filter.accept")
	c := newCustom(t, scores(func(string) float64 { return 1 }))
	f := filterOn(t, street.Server, c.config())
	run(t, f)
	req := &events.ChatRequest{Messages: []events.ChatMessage{{Role: "user", Content: events.Content{Parts: []events.ContentPart{
		{Type: "text", Text: "what is this?"}, {Type: "image_url"},
	}}}}}
	require.NoError(t, f.Prompt(t.Context(), subject(), req))
	require.Contains(t, decoded[events.MoralFilterAccept](t, all.Next(t)).Reason, "parts that are no text, and were not judged: 1")
}

// A filter says at its start what it does not do.
func TestItSaysThatItIsOff(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "generator")
	for want, change := range map[string]func(*moral.Config){
		"the moral filter is off for requests without metadata.moral_value": func(*moral.Config) {},
		`msg="the moral filter is off" enabled=auto scorer=none`:            func(c *moral.Config) { c.Scorer.Kind = moral.NoScorer },
		`msg="the moral filter is off" enabled=off scorer=request`:          func(c *moral.Config) { c.Enabled = moral.Off },
	} {
		cfg := moral.Default()
		change(&cfg)
		require.Contains(t, logOf(t, b, cfg), want)
	}
	cfg := moral.Default()
	cfg.Enabled = moral.On
	require.Empty(t, logOf(t, b, cfg))
}

// logOf returns what a filter says at its start.
func logOf(t *testing.T, b *bus.Bus, cfg moral.Config) string {
	t.Helper()
	var log strings.Builder
	_, err := moral.New(cfg, moral.Deps{Bus: b, HTTP: client(t), Source: "/mlsdm/generator", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	return log.String()
}
