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

// serveWords serves a stream of words, which ends if it is to.
func serveWords(ends bool, gone chan<- struct{}, words ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, word := range words {
			fmt.Fprintf(w, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", word)
		}
		if ends {
			fmt.Fprint(w, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return // who asked is gone already
		}
		<-r.Context().Done()
		gone <- struct{}{}
	}
}

// TestStalledServer: a real server that says nothing more is given up, and its connection closed.
func TestStalledServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words   []string
		options route.Options
		partial string // empty: the other server has answered
	}{
		"before the first word": {nil, route.Options{FirstToken: 50 * time.Millisecond, Idle: patience}, ""},
		"after the first word":  {[]string{"one ", "two"}, route.Options{FirstToken: patience, Idle: 50 * time.Millisecond}, "one two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{}, 1)
			e := newEngineOf(t, once,
				provider(t, "a", serveWords(false, gone, c.words...)), provider(t, "b", serveWords(true, nil, "other")))
			var r reader
			res, err := ask(t.Context(), e, with(to(t, "a/m", "b/m"), c.options), &r)
			await(t, gone)
			if c.partial == "" {
				require.NoError(t, err)
				require.Equal(t, "other", r.text.String())
				require.Equal(t, "a:a-key=timeout b:b-key=ok", tried(res))
				return
			}
			partial, ok := errors.AsType[*engine.PartialError](err)
			require.True(t, ok, err)
			require.Equal(t, events.CodeDeadlineExceeded, partial.Err.Code)
			require.Equal(t, "a", partial.Err.Provider)
			require.Equal(t, c.partial, text(partial.Partial))
			require.Equal(t, "a:a-key=timeout", tried(res))
		})
	}
}

// TestCallerLeavesAServer: the request to the server is ended with the caller's.
func TestCallerLeavesAServer(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 1)
	e := newEngineOf(t, nil, provider(t, "a", serveWords(false, gone, "one")))
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
