package tei_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/tei"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// house is a server on a loopback port.
type house struct {
	*httptest.Server

	mu    sync.Mutex
	info  http.HandlerFunc
	asked int // for its info
}

// newHouse starts a server that says of itself what info does, and a client that wants to know.
func newHouse(t *testing.T, info http.HandlerFunc) (*house, *tei.Client) {
	t.Helper()
	h := &house{info: info}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/info" {
			llmtest.Answer(http.StatusOK, `[[3,4]]`)(w, r)
			return
		}
		h.mu.Lock()
		h.asked++
		info := h.info
		h.mu.Unlock()
		info(w, r)
	}))
	t.Cleanup(h.Close)
	client := llm.NewHTTPClient()
	t.Cleanup(client.CloseIdleConnections)
	c, err := tei.New(tei.Config{Provider: "tei", BaseURL: h.URL, HTTP: client, Identify: true})
	require.NoError(t, err)
	return h, c
}

// restart has the server answer otherwise, on new connections.
func (h *house) restart(info http.HandlerFunc) {
	h.mu.Lock()
	h.info = info
	h.mu.Unlock()
	h.CloseClientConnections()
}

// times is how often it was asked.
func (h *house) times() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

// ask makes a call until it is not the connection that has failed: one that was closed a moment ago may still be tried.
func ask(t *testing.T, c *tei.Client) (*llm.Embedded, error) {
	t.Helper()
	for {
		got, err := c.Embed(t.Context(), &llm.EmbedCall{Texts: []string{"a"}})
		if err == nil || llm.FaultOf(err).Class != llm.ClassNetwork {
			return got, err
		}
		require.NoError(t, t.Context().Err())
	}
}

// tells answers with what a server says of itself.
func tells(body string) http.HandlerFunc { return llmtest.Answer(http.StatusOK, body) }

// TestAnotherModelBehindTheServer is seen with the first answer on a new connection.
func TestAnotherModelBehindTheServer(t *testing.T) {
	t.Parallel()
	h, c := newHouse(t, tells(said))
	for range 3 {
		got, err := ask(t, c)
		require.NoError(t, err)
		require.Equal(t, "thenlper/gte-base@fca14538 float16", got.Served)
	}
	first := h.times()
	require.LessOrEqual(t, first, 2, "not for each call")
	for _, now := range []struct{ info, served string }{
		{`{"model_id":"thenlper/gte-base","model_sha":"other","model_dtype":"float16"}`, "thenlper/gte-base@other float16"},
		{`{"model_id":"thenlper/gte-base","model_sha":"other","model_dtype":"float32"}`, "thenlper/gte-base@other float32"},
		{`{"model_id":"BAAI/bge-m3","model_sha":null}`, "BAAI/bge-m3"},
	} {
		h.restart(tells(now.info))
		got, err := ask(t, c)
		require.NoError(t, err)
		require.Equal(t, now.served, got.Served)
	}
}

// TestServersThatDoNotTell are believed, unless they have told before and may have another model now.
func TestServersThatDoNotTell(t *testing.T) {
	t.Parallel()
	silent := llmtest.Answer(http.StatusNotFound, `{"error":"not found"}`)
	h, c := newHouse(t, silent)
	for range 3 {
		got, err := ask(t, c)
		require.NoError(t, err)
		require.Empty(t, got.Served)
	}
	require.Equal(t, 1, h.times(), "it is not asked again at once")

	h, c = newHouse(t, tells(said))
	_, err := ask(t, c)
	require.NoError(t, err)
	h.restart(silent)
	_, err = ask(t, c)
	fault := llm.FaultOf(err)
	require.Equal(t, llm.ClassProvider, fault.Class)
	require.Equal(t, events.CodeUnavailable, fault.Err.Code)
	require.True(t, fault.Err.Retryable)
	require.ErrorContains(t, fault, "may have been started with another")
	h.restart(tells(said))
	require.Eventually(t, func() bool {
		got, err := ask(t, c)
		return err == nil && got.Served == "thenlper/gte-base@fca14538 float16"
	}, patience, tick)
}

// How long is waited for what comes soon, and how often it is looked for.
const (
	patience = 30 * time.Second
	tick     = 20 * time.Millisecond
)
