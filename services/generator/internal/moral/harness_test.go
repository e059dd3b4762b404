package moral_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
)

// canary stands for texts and keys that must not come out.
const canary = "hunter2-canary"

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

// subject is that of all requests.
func subject() moral.Subject {
	return moral.Subject{RequestID: "req-1", Caller: "shop", Model: "openai/m"}
}

// custom is a scorer of the operator's: a function from texts to answers.
type custom struct {
	*httptest.Server

	mu       sync.Mutex
	asked    []map[string]string
	requests []*http.Request
	answer   func(w http.ResponseWriter, text string)
}

// scores answers with what a function says of a text.
func scores(score func(text string) float64) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"score": score(text), "reason": "because of " + text, "categories": []string{"b", "a", "b", text + " "}})
	}
}

func newCustom(t *testing.T, answer func(http.ResponseWriter, string)) *custom {
	t.Helper()
	c := &custom{answer: answer}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var asked map[string]string
		if err != nil || json.Unmarshal(body, &asked) != nil {
			http.Error(w, "not JSON", http.StatusTeapot)
			return
		}
		c.mu.Lock()
		c.asked = append(c.asked, asked)
		c.requests = append(c.requests, r)
		answer := c.answer
		c.mu.Unlock()
		answer(w, asked["text"])
	}))
	t.Cleanup(c.Close)
	return c
}

// texts are what was asked.
func (c *custom) texts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var texts []string
	for _, asked := range c.asked {
		texts = append(texts, asked["text"])
	}
	return texts
}

// config is that of a filter that asks c.
func (c *custom) config() moral.Config {
	cfg := moral.Default()
	cfg.Scorer = moral.ScorerConfig{Kind: moral.HTTP, URL: c.URL + "/score", Key: secret.NewValue(canary), Timeout: patience}
	return cfg
}

// client asks scorers.
func client(t *testing.T) *http.Client {
	t.Helper()
	c := llm.NewHTTPClient()
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// newFilter returns a filter that is not run.
func newFilter(t *testing.T, cfg moral.Config) *moral.Filter {
	t.Helper()
	return filterOn(t, bustest.Start(t), cfg)
}

func filterOn(t *testing.T, srv *bustest.Server, cfg moral.Config) *moral.Filter {
	t.Helper()
	f, err := moral.New(cfg, moral.Deps{
		Bus: srv.Connect(t, events.ServiceGenerator), HTTP: client(t), Source: "/mlsdm/generator", Metrics: prometheus.NewRegistry(), Logger: bustest.Logger(t),
	})
	require.NoError(t, err)
	return f
}

// prompt is a request of one text.
func prompt(text string) *events.ChatRequest { return &events.ChatRequest{Prompt: text} }

// valued is a request that brings a score, as it stands in JSON.
func valued(text, value string) *events.ChatRequest {
	req := prompt(text)
	req.Extra = map[string]json.RawMessage{"metadata": json.RawMessage(`{"a":"b","moral_value":` + value + `}`)}
	return req
}

// decoded reads an event of the filter.
func decoded[T events.Payload](t *testing.T, m doortest.Message) T {
	t.Helper()
	ev, err := events.FromMessage(events.Subjects{}, m.Subject, m.Header, m.Body, events.Stored{})
	require.NoError(t, err)
	require.Equal(t, "req-1", ev.Subject)
	payload, err := events.Decode[T](ev)
	require.NoError(t, err)
	return payload
}
