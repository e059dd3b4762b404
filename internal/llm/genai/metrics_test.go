package genai_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// gathered are the series of a registry, by the name of the metric.
func gathered(t *testing.T, reg *prometheus.Registry) map[string][]*dto.Metric {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	all := make(map[string][]*dto.Metric)
	for _, f := range families {
		all[f.GetName()] = f.GetMetric()
	}
	return all
}

// label is the value of a label.
func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// exemplars are the traces that a histogram names.
func exemplars(m *dto.Metric) (traces []string) {
	for _, b := range m.GetHistogram().GetBucket() {
		for _, l := range b.GetExemplar().GetLabel() {
			if l.GetName() == "trace_id" {
				traces = append(traces, l.GetValue())
			}
		}
	}
	return traces
}

func TestMetricsNameTheTrace(t *testing.T) {
	t.Parallel()
	s, reg := genaitest.New(t), prometheus.NewRegistry()
	r, err := genai.New(genai.Config{Tracer: s.Provider, Metrics: reg})
	require.NoError(t, err)
	_, c := r.Chat(t.Context(), about(), &events.ChatRequest{Prompt: "x"}, true)
	for range 3 {
		c.Chunk(&events.ChatChunk{})
	}
	c.End(&genai.ChatEnd{Took: 3 * time.Second, Usage: usage()})
	id := s.Wait(t, "chat gpt", 1)[0].SpanContext().TraceID().String()

	all := gathered(t, reg)
	tokens := all["gen_ai_client_token_usage"]
	require.Len(t, tokens, 2)
	for _, m := range tokens {
		require.Equal(t, []string{"chat", "openai", "gpt", "api.openai.com"}, []string{
			label(m, "gen_ai_operation_name"), label(m, "gen_ai_provider_name"), label(m, "gen_ai_request_model"), label(m, "server_address"),
		})
		require.InDelta(t, map[string]float64{"input": 100, "output": 50}[label(m, "gen_ai_token_type")], m.GetHistogram().GetSampleSum(), 0)
		require.Len(t, m.GetHistogram().GetBucket(), 14)
		require.InDelta(t, 67108864, m.GetHistogram().GetBucket()[13].GetUpperBound(), 0)
		require.Equal(t, []string{id}, exemplars(m))
	}
	for name, n := range map[string]uint64{
		"gen_ai_client_operation_duration_seconds": 1, "gen_ai_client_operation_time_to_first_chunk_seconds": 1,
		"gen_ai_client_operation_time_per_output_chunk_seconds": 2,
	} {
		require.Len(t, all[name], 1, name)
		h := all[name][0].GetHistogram()
		require.Equal(t, n, h.GetSampleCount(), name)
		require.InDelta(t, 0.01, h.GetBucket()[0].GetUpperBound(), 1e-9, name)
		require.InDelta(t, 81.92, h.GetBucket()[13].GetUpperBound(), 1e-9, name)
	}
	require.Equal(t, []string{id}, exemplars(all["gen_ai_client_operation_duration_seconds"][0]))
	require.Equal(t, []string{id}, exemplars(all["gen_ai_client_operation_time_to_first_chunk_seconds"][0]))
}

// TestAnOutlierIsFound: what took longer than anything before is named also right after another one.
func TestAnOutlierIsFound(t *testing.T) {
	t.Parallel()
	s, reg := genaitest.New(t), prometheus.NewRegistry()
	r, err := genai.New(genai.Config{Tracer: s.Provider, Metrics: reg})
	require.NoError(t, err)
	for _, took := range []time.Duration{time.Second, time.Minute} {
		_, c := r.Chat(t.Context(), about(), &events.ChatRequest{Prompt: "x"}, false)
		c.End(&genai.ChatEnd{Took: took})
	}
	require.Len(t, exemplars(gathered(t, reg)["gen_ai_client_operation_duration_seconds"][0]), 2)
}

// TestLabelsAreBounded: names that callers make up get none of their own, and those that have answered not without end.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	r, err := genai.New(genai.Config{Metrics: reg})
	require.NoError(t, err)
	attempt := func(model string, fault *llm.Fault) {
		a := about()
		a.Model = model
		_, c := r.Chat(t.Context(), a, &events.ChatRequest{Prompt: "x"}, false)
		c.End(&genai.ChatEnd{Took: time.Second, Fault: fault, Usage: usage()})
	}
	unknown := &llm.Fault{Class: llm.ClassModel, Err: events.Errorf(events.CodeNotFound, "no such model")}
	for i := range 500 {
		attempt(fmt.Sprintf("made-up-%d", i), unknown)
	}
	duration := gathered(t, reg)["gen_ai_client_operation_duration_seconds"]
	require.Len(t, duration, 1)
	require.Equal(t, []string{"other", "model"}, []string{label(duration[0], "gen_ai_request_model"), label(duration[0], "error_type")})
	require.Equal(t, uint64(500), duration[0].GetHistogram().GetSampleCount())
	for i := range 500 {
		attempt(fmt.Sprintf("real-%d", i), nil)
	}
	attempt("real-1", unknown)
	duration = gathered(t, reg)["gen_ai_client_operation_duration_seconds"]
	require.Len(t, duration, 103, "100 models, others that have answered and that have not, and one failure")
}
