package generator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// theTrace is that to which requests belong which send it.
const (
	theTrace   = "0af7651916cd43dd8448eb211c80319c"
	traceState = "00-" + theTrace + "-b7ad6b7169203331-01"
)

// process is the only span of handling an interactive request, with its attributes.
func (r *rig) process(t *testing.T) (sdktrace.ReadOnlySpan, map[string]any) {
	t.Helper()
	span := r.spans.Wait(t, "process mlsdm.generate", 1)[0]
	return span, genaitest.Attributes(span)
}

// TestOneTrace: a request that fails at one provider and is answered by another is one trace, to its event.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	processed := r.Listen(t, "mlsdm.events."+events.TypeRequestProcessed)
	r.server(t, "a").Script(fails(http.StatusServiceUnavailable))
	response(t, r.ask(t, `{"model":"fast","prompt":"canary"}`, events.HeaderTraceParent, traceState))

	process, all := r.process(t)
	require.Equal(t, []any{"fast", "off", "b/m", int64(2), false}, []any{
		all["mlsdm.model"], all["mlsdm.cache"], all["mlsdm.answered_by"], all["mlsdm.attempts"], all["mlsdm.stream"],
	})
	require.NotEmpty(t, all["mlsdm.request.id"])
	attempts := r.spans.Wait(t, "chat m", 2)
	require.Equal(t, [][]any{{int64(1), "first", "a/m", "provider"}, {int64(2), "fallback", "b/m", nil}},
		genaitest.Values(attempts, "mlsdm.attempt", "mlsdm.attempt.why", "mlsdm.model", "error.type"))
	requests := r.spans.Wait(t, "POST /v1/chat/completions", 2)
	require.Equal(t, [][]any{{int64(503)}, {int64(200)}}, genaitest.Values(requests, "http.response.status_code"))
	for i, attempt := range attempts {
		require.Equal(t, process.SpanContext().SpanID(), attempt.Parent().SpanID())
		require.Equal(t, attempt.SpanContext().SpanID(), requests[i].Parent().SpanID())
	}
	for _, span := range append(append(attempts, requests...), process) {
		require.Equal(t, theTrace, span.SpanContext().TraceID().String())
		for key, value := range genaitest.Attributes(span) {
			require.NotContains(t, fmt.Sprint(value), "canary", key)
		}
	}
	for _, name := range []string{"a", "b"} {
		require.Empty(t, r.server(t, name).Requests()[0].Header.Get("Traceparent"), "it is none of the vendor's business")
	}
	ev := processed.Next(t)
	require.Contains(t, ev.Value(events.HeaderTraceParent), theTrace)
	require.Contains(t, string(ev.Body), `"traceparent":"00-`+theTrace)
}

// TestAServerOfOurOwnHearsOfTheTrace: as its provider's options say.
func TestAServerOfOurOwnHearsOfTheTrace(t *testing.T) {
	t.Parallel()
	r := serve(t, `
providers:
  a: {protocol: openai, base_url: "$a", keys: ["$key"], options: {trace_context: true}}
`)
	response(t, r.ask(t, `{"model":"a/m","prompt":"x"}`, events.HeaderTraceParent, traceState))
	require.Contains(t, r.server(t, "a").Requests()[0].Header.Get("Traceparent"), theTrace)
}

// TestSpansOfAStream: they end with it.
func TestSpansOfAStream(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	r.Stream(t, interactive, []byte(`{"model":"fast","stream":true,"prompt":"one two three"}`))
	attempt := r.spans.Wait(t, "chat m", 1)[0]
	process, all := r.process(t)
	require.Equal(t, true, all["mlsdm.stream"])
	require.Equal(t, true, genaitest.Attributes(attempt)["gen_ai.request.stream"])
	require.Positive(t, genaitest.Attributes(attempt)["gen_ai.response.time_to_first_chunk"])
	require.False(t, attempt.EndTime().After(process.EndTime()))
}

// TestADurableRequestIsTraced: its attempts are below the span of handling it.
func TestADurableRequestIsTraced(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	r.Publish(t, durable, "req-1", []byte(`{"model":"fast","prompt":"x"}`), events.HeaderTraceParent, traceState)
	require.Nil(t, r.Results().Next(t).Err())
	attempt := r.spans.Wait(t, "chat m", 1)[0]
	require.Equal(t, theTrace, attempt.SpanContext().TraceID().String())
	require.Equal(t, trace.SpanKindClient, attempt.SpanKind())
}

// TestContent: it is recorded only where the operator wants it.
func TestContent(t *testing.T) {
	t.Parallel()
	for name, wanted := range map[string]bool{"off": false, "on": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.content = wanted
			r.start(t, twoProviders)
			require.Len(t, text(t, r.Stream(t, interactive, []byte(`{"model":"fast","stream":true,"prompt":"hello","stop":["canary"]}`))), len("you said: hello"))
			all := genaitest.Attributes(r.spans.Wait(t, "chat m", 1)[0])
			if !wanted {
				for key := range all {
					require.NotContains(t, []string{"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.request.stop_sequences"}, key)
				}
				return
			}
			for key, want := range map[string]string{
				"gen_ai.input.messages":  `[{"role":"user","parts":[{"type":"text","content":"hello"}]}]`,
				"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"you said: hello"}],"finish_reason":"stop"}]`,
			} {
				said, ok := all[key].(string)
				require.True(t, ok, key)
				require.JSONEq(t, want, said)
			}
			require.Equal(t, []string{"canary"}, all["gen_ai.request.stop_sequences"])
		})
	}
}

// TestTheCacheIsTraced: what came out of it has no attempt.
func TestTheCacheIsTraced(t *testing.T) {
	t.Parallel()
	r := serve(t, cached)
	var outcomes []any
	for i, wish := range []string{"", "", events.CacheRefresh, events.CacheOff} {
		var headers []string
		if wish != "" {
			headers = []string{events.HeaderCache, wish}
		}
		response(t, r.ask(t, `{"model":"kept","prompt":"hello"}`, headers...))
		all := genaitest.Attributes(r.spans.Wait(t, "process mlsdm.generate", i+1)[i])
		outcomes = append(outcomes, all["mlsdm.cache"])
		if i == 0 {
			require.Positive(t, all["mlsdm.cost"])
		}
	}
	require.Equal(t, []any{"miss", "hit", "refresh", "off"}, outcomes)
	require.Len(t, r.spans.Named("chat m"), 3)
}

// TestLimitsAreTraced: a model that was not to be asked has no attempt, but the request says so.
func TestLimitsAreTraced(t *testing.T) {
	t.Parallel()
	r := serve(t, budget)
	var outcomes [][]any
	for i := range 3 {
		require.Nil(t, r.Ask(t, "mlsdm.as.shop.generate", []byte(`{"model":"fast","prompt":"hello","max_completion_tokens":3}`)).Err())
		all := genaitest.Attributes(r.spans.Wait(t, "process mlsdm.as.{caller}.generate", i+1)[i])
		outcomes = append(outcomes, []any{all["mlsdm.limits"], all["mlsdm.answered_by"]})
		require.Equal(t, "shop", all["mlsdm.caller"])
	}
	require.Equal(t, [][]any{{"passed", "a/m"}, {"passed", "a/m"}, {"held", "b/m"}}, outcomes)
}

// TestTheMoralFilterIsTraced: what it decided, and an answer that it has cut off is told from one that broke off.
func TestTheMoralFilterIsTraced(t *testing.T) {
	t.Parallel()
	s := newScorer(t)
	r := serve(t, judged(s.URL, "  output: on\n"))
	decided := func(n int, body string) []any {
		t.Helper()
		r.Stream(t, interactive, []byte(body))
		all := genaitest.Attributes(r.spans.Wait(t, "process mlsdm.generate", n)[n-1])
		return []any{all["mlsdm.moral.prompt"], all["mlsdm.moral.completion"], all["mlsdm.moral.scorer"], all["error.type"]}
	}
	require.Equal(t, []any{"accept", "accept", "http", nil}, decided(1, `{"model":"fast","stream":true,"prompt":"hello"}`))
	require.Equal(t, []any{"reject", nil, "http", "content_rejected"}, decided(2, `{"model":"fast","stream":true,"prompt":"evil"}`))
	require.Len(t, r.spans.Named("chat m"), 1)
	r.server(t, "a").Script(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 100 {
			if _, err := w.Write([]byte(say("evil " + strings.Repeat("x", 20)))); err != nil {
				return
			}
		}
	})
	require.Equal(t, []any{"accept", "reject", "http", "content_rejected"}, decided(3, `{"model":"fast","stream":true,"prompt":"hello"}`))
	require.Equal(t, "content_rejected", genaitest.Attributes(r.spans.Wait(t, "chat m", 2)[1])["error.type"])
}

// TestAModelInTheProcessIsTraced: by an internal span, with nothing below it.
func TestAModelInTheProcessIsTraced(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	response(t, r.ask(t, `{"model":"local/echo","prompt":"hello"}`))
	span := r.spans.Wait(t, "chat echo", 1)[0]
	require.Equal(t, trace.SpanKindInternal, span.SpanKind())
	require.Equal(t, "local", genaitest.Attributes(span)["gen_ai.provider.name"])
	require.Empty(t, r.spans.Named("POST /v1/chat/completions"))
}
