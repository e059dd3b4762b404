package watch_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
)

// named returns the ended spans of a name.
func named(recorder *tracetest.SpanRecorder, name string) []sdktrace.ReadOnlySpan {
	return slices.DeleteFunc(recorder.Ended(), func(s sdktrace.ReadOnlySpan) bool { return s.Name() != name })
}

// TestWebhooksAreTheBeginningOfTraces: what a webhook told, the event that comes of it, its recovery and the requests that this takes are in
// one trace. What is asked without a cause has spans from time to time only.
func TestWebhooksAreTheBeginningOfTraces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	recorder := tracetest.NewSpanRecorder()
	cfg := w.config(t, "acme/one")
	cfg.Tracer = bustest.Tracer(t, recorder)
	cfg.Rules[0].FailuresToAlert = 1
	cfg.Rules[0].Recovery = policy.Recovery{Action: policy.RerunFailedJobs, AttemptsPerCommit: 1, AttemptsPerHour: 1}
	r := w.run(t, cfg)
	require.NoError(t, r.check(t.Context(), "acme/one"))
	r.told(t, w.hook(t, w.fake.AddRun("failure")))
	const told = "ci.run_failed ci.degraded system.recovery_triggered"
	eventually(t, func() bool { return w.types(t, "acme/one") == told })

	var of trace.TraceID
	eventually(t, func() bool {
		hooks := named(recorder, "POST /github/webhooks")
		if len(hooks) == 1 {
			of = hooks[0].SpanContext().TraceID()
		}
		return len(hooks) == 1
	})
	for _, ev := range w.events(t, "acme/one") {
		require.Contains(t, ev.TraceParent, "-"+of.String()+"-", ev.Type)
	}
	for _, name := range []string{"recover rerun_failed_jobs", "POST /repos/{owner}/{repo}/actions/runs/{run_id}/rerun-failed-jobs"} {
		eventually(t, func() bool { return len(named(recorder, name)) == 1 }, name)
		require.Equal(t, of, named(recorder, name)[0].SpanContext().TraceID(), name)
	}
	require.NotEmpty(t, named(recorder, "GET /repos/{owner}/{repo}/actions/runs"), "of the poll that was asked for")
	for _, span := range recorder.Ended() {
		require.NotContains(t, fmt.Sprintf("%+v", tracetest.SpanStubFromReadOnlySpan(span)), "canary31337", "the token")
	}
}
