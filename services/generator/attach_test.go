package generator_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// attached reads a kept stream to its end.
func attached(ctx context.Context, c *client.Client, id string, each func(client.KeptChunk)) error {
	for chunk, err := range c.Attach(ctx, id) {
		if err != nil {
			return err
		}
		each(chunk)
	}
	return nil
}

// A stream of a durable request is kept: who comes while it goes on gets all of it, and so does who comes after its end.
func TestAttach(t *testing.T) {
	t.Parallel()
	r := serve(t, priced)
	goOn := make(chan struct{})
	r.server(t, "a").Script(func(w http.ResponseWriter, req *http.Request) {
		llmtest.Stream(say("one ")+say("two "))(w, req)
		<-goOn
		_, err := io.WriteString(w, say("three")+`data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n"+
			`data: {"id":"1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`+"\n\ndata: [DONE]\n\n")
		if err != nil {
			return // the client is gone
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*doortest.Patience)
	defer cancel()
	shop := r.as(t, "shop")
	id, err := shop.SubmitGenerate(ctx, "", events.ChatRequest{Model: "fast", Prompt: "x", Stream: true})
	require.NoError(t, err)

	var early strings.Builder
	var once sync.Once
	require.NoError(t, attached(ctx, shop, id, func(c client.KeptChunk) {
		require.Equal(t, 1, c.Attempt)
		require.Equal(t, "a/m", c.Model)
		for _, choice := range c.Choices {
			early.WriteString(choice.Delta.Content)
		}
		if early.String() == "one two " { // it is here while there is no answer yet
			once.Do(func() { close(goOn) })
		}
	}))
	require.Equal(t, "one two three", early.String())

	var late strings.Builder
	require.NoError(t, attached(ctx, r.as(t, "shop"), id, func(c client.KeptChunk) {
		for _, choice := range c.Choices {
			late.WriteString(choice.Delta.Content)
		}
	}))
	require.Equal(t, early.String(), late.String())
	var whole events.ChatResponse
	require.NoError(t, shop.Result(ctx, id, &whole))
	require.Equal(t, early.String(), whole.Choices[0].Message.Content.Text)
	require.InDelta(t, 0.3+0.8, *whole.Usage.Cost, 1e-9)
	told := r.Processed(t)
	require.Equal(t, []any{id, "shop", events.DoorDurable, true, 7}, []any{told.RequestID, told.Caller, told.Door, told.Stream, told.TotalTokens})
	require.Len(t, r.server(t, "a").Requests(), 1)

	// Another caller has no such request.
	short, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	require.Error(t, attached(short, r.as(t, "bank"), id, func(client.KeptChunk) { require.Fail(t, "it is not theirs") }))
}

// A stream that fails over after a target has begun is kept as it was, with its failure; the next attempt is another one.
func TestAttachToAStreamThatBreaksOff(t *testing.T) {
	t.Parallel()
	r := serve(t, priced)
	r.server(t, "a").Script(llmtest.Stream(say("lost"))) // and no end
	ctx, cancel := context.WithTimeout(t.Context(), 2*doortest.Patience)
	defer cancel()
	shop := r.as(t, "shop")
	id, err := shop.SubmitGenerate(ctx, "", events.ChatRequest{Model: "fast", Prompt: "hello", Stream: true})
	require.NoError(t, err)
	texts := make(map[int]string)
	require.NoError(t, attached(ctx, shop, id, func(c client.KeptChunk) {
		for _, choice := range c.Choices {
			texts[c.Attempt] += choice.Delta.Content
		}
	}))
	require.Equal(t, map[int]string{1: "lost", 2: "you said: hello"}, texts)
	require.Len(t, r.server(t, "a").Requests(), 2)
}
