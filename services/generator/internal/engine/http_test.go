package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// patience is how long a test waits for what happens in the end, on whatever machine.
const patience = 30 * time.Second

// provider starts a server and returns a provider that speaks OpenAI's protocol to it.
func provider(t *testing.T, name string, serve http.HandlerFunc) engine.Provider {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	client := llm.NewHTTPClient()
	t.Cleanup(client.CloseIdleConnections)
	adapter, err := openai.NewAdapter(name, server.URL+"/v1", client, openai.Options{})
	require.NoError(t, err)
	return engine.Provider{Name: name, Adapter: adapter, Keys: keys(name + "-key")}
}

// serveWords serves a stream of words that never ends, and says when it was left.
func serveWords(gone chan<- struct{}, words ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, word := range words {
			fmt.Fprintf(w, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", word)
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return // who asked is gone already
		}
		<-r.Context().Done()
		gone <- struct{}{}
	}
}

// TestStalledServer: a real server that says nothing, or nothing more, is given up.
func TestStalledServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words   []string
		options route.Options
		message string
	}{
		"before the first word": {nil, route.Options{FirstToken: 50 * time.Millisecond}, "it did not begin to answer within 50ms"},
		"after the first word": {
			[]string{"one"}, route.Options{FirstToken: patience, Idle: 50 * time.Millisecond}, "it did not go on with its answer within 50ms",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{}, 1)
			e := newEngineOf(t, once, provider(t, "a", serveWords(gone, c.words...)))
			var r reader
			res, err := ask(t.Context(), e, with(to(t, "a/m"), c.options), &r)
			require.Equal(t, "a:a-key=timeout", tried(res))
			told := events.AsError(err)
			require.Equal(t, events.CodeDeadlineExceeded, told.Code)
			require.Equal(t, "a", told.Provider)
			require.Equal(t, c.message, told.Message)
			partial, begun := errors.AsType[*engine.PartialError](err)
			require.Equal(t, len(c.words) > 0, begun)
			if begun { // otherwise it may have been given up before the server has heard of it
				require.Equal(t, "one", text(partial.Partial))
				await(t, gone)
			}
		})
	}
}

// TestCallerLeavesAServer: the request to the server is ended with the caller's.
func TestCallerLeavesAServer(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 1)
	e := newEngineOf(t, nil, provider(t, "a", serveWords(gone, "one")))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := e.Do(ctx, engine.Ask{Route: to(t, "a/m"), Request: request(), Emit: func(*events.ChatChunk) error {
		cancel()
		return nil
	}})
	require.Equal(t, events.CodeCanceled, events.CodeOf(err))
	await(t, gone)
}

// await waits for something.
func await(t *testing.T, what <-chan struct{}) {
	t.Helper()
	select {
	case <-what:
	case <-time.After(patience):
		require.Fail(t, "the server was not left")
	}
}
