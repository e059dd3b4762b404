package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// atServer runs mlsdmctl against a server.
func atServer(ctx context.Context, s *bustest.Server, in string, args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	code = run(ctx, append([]string{"--server", s.URL()}, args...), terminal{
		in: strings.NewReader(in), out: &stdout, err: &stderr, lookup: func(string) (string, bool) { return "", false },
	})
	return stdout.String(), stderr.String(), code
}

// serve answers an operation on a server of its own, as a service does.
func serve(t *testing.T, operation string, handler func(ctx context.Context, r *bus.Request) error) *bustest.Server {
	t.Helper()
	s := bustest.Start(t, bustest.Bare())
	b := s.Connect(t, "fake")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Serve(ctx, bus.Service{
			Name: "fake", Version: "1.0.0", DrainTimeout: 100 * time.Millisecond,
			Operations: []bus.Operation{{Name: operation, Handler: handler}},
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	probe := s.Connect(t, "probe")
	require.Eventually(t, func() bool {
		_, err := probe.Request(t.Context(), bus.Msg{Subject: "$SRV.PING.fake"})
		return err == nil
	}, 20*time.Second, time.Millisecond)
	return s
}

// generator answers generate requests with what answer makes of them.
func generator(t *testing.T, answer func(req events.ChatRequest, header map[string][]string) ([]any, error)) *bustest.Server {
	t.Helper()
	return serve(t, events.OpGenerate, func(_ context.Context, r *bus.Request) error {
		req, err := events.ParseChatRequest(r.Body)
		if err != nil {
			return err
		}
		parts, failure := answer(req, r.Header)
		for _, part := range parts {
			if !req.Stream {
				return r.Respond(marshal(t, part))
			}
			if err := r.Send(marshal(t, part)); err != nil {
				return err
			}
		}
		return failure
	})
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
	}
	return text
}

func chunk(text string) events.ChatChunk {
	return events.ChatChunk{ID: "c", Object: events.ObjectChatCompletionChunk, Model: "openai/m", Choices: []events.ChatChunkChoice{{Delta: events.ChatDelta{Content: text}}}}
}

func TestGenerateTellsWhatItTook(t *testing.T) {
	t.Parallel()
	cost := 0.00125
	usage := &events.ChatUsage{PromptTokens: 12, CompletionTokens: 3, TotalTokens: 15, Cost: &cost, PromptTokensDetails: &events.PromptTokensDetails{CachedTokens: 4}}
	var got events.ChatRequest
	var cache string
	s := generator(t, func(req events.ChatRequest, header map[string][]string) ([]any, error) {
		got, cache = req, events.HeaderValue(header, events.HeaderCache)
		if !req.Stream {
			return []any{events.ChatResponse{ID: "c", Object: events.ObjectChatCompletion, Model: "openai/m", Usage: &events.ChatUsage{Cached: true}, Choices: []events.ChatChoice{{
				Message: events.ChatMessage{Role: "assistant", Content: events.TextContent("whole")}, FinishReason: "stop",
			}}}}, nil
		}
		last := chunk("")
		last.Choices, last.Usage = []events.ChatChunkChoice{}, usage
		return []any{chunk("one "), chunk("two\x1b[2J"), last}, nil
	})
	out, errs, code := atServer(t.Context(), s, "", "generate", "-m", "fast", "--temperature", "0.5", "--max-tokens", "7", "-s", "be brief", "--cache", "refresh", "why?")
	require.Zero(t, code, errs)
	require.True(t, strings.HasPrefix(out, "one two"), out)
	require.NotContains(t, out, "\x1b", "nothing plays with the terminal")
	require.Regexp(t, `^openai/m · 12 \+ 3 tokens \(4 from the provider's cache\) · cost 0\.00125 · [0-9.a-zµ]+, the first text after [0-9.a-zµ]+\n$`, errs)
	require.Equal(t, "refresh", cache)
	require.Equal(t, []any{"fast", 0.5, 7, 2}, []any{got.Model, *got.Temperature, *got.MaxCompletionTokens, len(got.Messages)})

	out, errs, code = atServer(t.Context(), s, "from the input\n", "generate", "--no-stream")
	require.Zero(t, code, errs)
	require.Equal(t, "whole\n", out)
	require.Contains(t, errs, "from the cache, nothing was bought")
	require.Equal(t, "from the input", got.Prompt)
	require.Empty(t, cache)

	_, errs, code = atServer(t.Context(), s, "", "generate", "-q", "x")
	require.Zero(t, code)
	require.Empty(t, errs)
	out, errs, code = atServer(t.Context(), s, "", "generate", "--json", "x")
	require.Zero(t, code)
	require.Empty(t, errs)
	require.Len(t, strings.Split(strings.TrimSpace(out), "\n"), 3)
	_, errs, code = atServer(t.Context(), s, "", "generate", "--cache", "maybe", "x")
	require.NotZero(t, code)
	require.Contains(t, errs, "refresh")
}

func TestGenerateThatFails(t *testing.T) {
	t.Parallel()
	s := generator(t, func(events.ChatRequest, map[string][]string) ([]any, error) {
		return []any{chunk("half ")}, events.Errorf(events.CodeUnavailable, "it broke off")
	})
	out, errs, code := atServer(t.Context(), s, "", "generate", "x")
	require.NotZero(t, code)
	require.Equal(t, "half \n", out)
	require.Contains(t, errs, "it broke off")
	_, errs, code = atServer(t.Context(), s, " \n", "generate")
	require.NotZero(t, code)
	require.Contains(t, errs, "nothing to answer")
}

// Ctrl-C ends the work on the answer.
func TestGenerateCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	s := serve(t, events.OpGenerate, func(work context.Context, _ *bus.Request) error {
		cancel()
		<-work.Done()
		ended <- context.Cause(work)
		return work.Err()
	})
	_, _, code := atServer(ctx, s, "", "generate", "x")
	require.NotZero(t, code)
	require.Equal(t, events.CodeCanceled, events.CodeOf(<-ended))
}

func TestModels(t *testing.T) {
	t.Parallel()
	asked := make(chan events.ModelsRequest, 2)
	s := serve(t, events.OpModels, func(_ context.Context, r *bus.Request) error {
		var req events.ModelsRequest
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
		asked <- req
		return r.Respond(marshal(t, events.ModelsList{Object: "list", Errors: map[string]string{"ollama": "it cannot be reached"}, Data: []events.Model{
			{ID: "openai/m", Available: true, Default: true, Price: &events.ModelPrice{Input: 0.15, Output: 0.6}, Limits: []events.ModelLimit{{What: "requests_per_minute", Limit: 100, Left: 42}}},
			{ID: "fast", OwnedBy: "alias", Reason: "its rate limit is used up", RetryAfterMS: 12000, Targets: [][]events.ModelTarget{{{Model: "openai/m", Weight: 3}, {Model: "x/y", Weight: 1}}, {{Model: "local/echo", Weight: 1}}}},
		}}))
	})
	out, errs, code := atServer(t.Context(), s, "", "models", "openai")
	require.Zero(t, code, errs)
	require.Equal(t, "openai", (<-asked).Provider)
	for _, line := range []string{
		`openai/m \(default\) +yes +0\.15 in, 0\.6 out +42 of 100 requests_per_minute`,
		`fast +no: its rate limit is used up, for 12s +- +-`, `first openai/m x3, x/y x1`, `then  local/echo`,
	} {
		require.Regexp(t, line, out)
	}
	require.Contains(t, errs, "ollama does not tell its models: it cannot be reached")
	out, _, code = atServer(t.Context(), s, "", "--json", "models")
	require.Zero(t, code)
	require.True(t, json.Valid([]byte(out)))
}
