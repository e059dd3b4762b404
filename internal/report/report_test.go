package report_test

import (
	"log/slog"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/report"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func lost() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "lost"})
}

// accept is an event.
func accept(n int) events.MoralFilterAccept {
	return events.MoralFilterAccept{RequestID: strconv.Itoa(n), Stage: events.StagePrompt, Score: 1, Threshold: 0.5}
}

func TestReports(t *testing.T) {
	t.Parallel()
	street := doortest.Start(t)
	all := street.Listen(t, "mlsdm.events.>")
	counter := lost()
	r := report.New(street.Bus, "/mlsdm/generator", bustest.Logger(t), counter)
	for n := range 600 { // before anybody publishes them, and more than one batch
		r.Report(t.Context(), "req-"+strconv.Itoa(n), accept(n))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(t.Context())
	}()
	r.Close()
	<-done
	r.Close()
	r.Report(t.Context(), "late", accept(0))
	for n := range 600 {
		m := all.Next(t)
		ev, err := events.FromMessage(events.Subjects{}, m.Subject, m.Header, m.Body, events.Stored{})
		require.NoError(t, err)
		require.Equal(t, "req-"+strconv.Itoa(n), ev.Subject, "in their order")
		require.Equal(t, "/mlsdm/generator", ev.Source)
	}
	all.Nothing(t)
	require.Zero(t, testutil.ToFloat64(counter))
}

// A bus that takes nothing delays nobody: what does not fit is dropped, and counted, as is what is no event.
func TestWhatIsLostIsCounted(t *testing.T) {
	t.Parallel()
	counter := lost()
	b := bustest.Start(t).Connect(t, "generator")
	r := report.New(b, "/mlsdm/generator", slog.New(slog.DiscardHandler), counter)
	for n := range 5000 {
		r.Report(t.Context(), "", accept(n))
	}
	waiting := 5000 - int(testutil.ToFloat64(counter))
	require.Equal(t, 4096, waiting)
	r.Report(t.Context(), "", events.MoralFilterAccept{Stage: "nowhere"})
	require.InDelta(t, 5001-4096, testutil.ToFloat64(counter), 0)

	require.NoError(t, b.Close(t.Context()))
	r.Close()
	r.Run(t.Context()) // all of which fails
	require.InDelta(t, 5001, testutil.ToFloat64(counter), 0)
}
