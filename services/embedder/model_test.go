package embedder_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// asked is a request that a server of the test got.
type asked struct {
	Path   string
	Key    string
	Texts  []string
	Fields map[string]any
}

// model is a server of a test with one model, in all protocols of embeddings: each where its servers listen. Its vectors are those of
// [llmtest.Vector], never of length 1.
type model struct {
	URL string

	server *httptest.Server

	mu         sync.Mutex
	dimensions int
	id         string // what it says of itself where it is asked; empty: it is "m"
	silent     bool   // it does not tell
	asked      []asked
	// answers, if it is set, answers in place of the model; it returns false for what the model is to answer.
	answers func(w http.ResponseWriter, r *http.Request, a asked) bool
}

// newModel starts a server whose vectors have so many dimensions.
func newModel(t testing.TB, dimensions int) *model {
	t.Helper()
	m := &model{dimensions: dimensions}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.URL, m.server = server.URL, server
	return m
}

// answer has requests answered in another way; nil: by the model again.
func (m *model) answer(answers func(w http.ResponseWriter, r *http.Request, a asked) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers = answers
}

// fail has all requests answered with a status.
func (m *model) fail(status int) {
	m.answer(func(w http.ResponseWriter, _ *http.Request, _ asked) bool {
		w.WriteHeader(status)
		return true
	})
}

// becomes has another model stand behind the server.
func (m *model) becomes(dimensions int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dimensions = dimensions
}

// restarts has the server come back with another model, of vectors as long as those before.
func (m *model) restarts(id string) {
	m.mu.Lock()
	m.id = id
	m.mu.Unlock()
	m.server.CloseClientConnections()
}

// silence has the server tell which model it has no longer, or again.
func (m *model) silence(silent bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silent = silent
}

// requests returns what was asked for so far.
func (m *model) requests() []asked {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.asked)
}

// last is the last that was asked for.
func (m *model) last() asked {
	all := m.requests()
	if len(all) == 0 {
		return asked{}
	}
	return all[len(all)-1]
}

// textsOf reads what is to be embedded.
func textsOf(fields map[string]any) (texts []string) {
	for _, name := range [...]string{"input", "inputs", "texts"} {
		switch value := fields[name].(type) {
		case string:
			return []string{value}
		case []any:
			for _, text := range value {
				s, _ := text.(string)
				if list, ok := text.([]any); ok { // token ids
					s = ofList(list)
				}
				texts = append(texts, s)
			}
		}
	}
	return texts
}

// ofList is the text "[1 2]" of token ids.
func ofList(list []any) string {
	ids := make([]int64, len(list))
	for i := range list {
		id, _ := list[i].(float64)
		ids[i] = int64(id)
	}
	return fmt.Sprint(ids)
}

// ServeHTTP implements [http.Handler].
func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/info" {
		m.mu.Lock()
		id, silent := cmp.Or(m.id, "m"), m.silent
		m.mu.Unlock()
		if silent {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		reply(w, map[string]any{"model_id": id, "max_client_batch_size": 32, "max_batch_tokens": 16_384, "max_input_length": 512})
		return
	}
	body, err := io.ReadAll(r.Body)
	a := asked{Path: r.URL.Path, Key: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")}
	if err != nil || json.Unmarshal(body, &a.Fields) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.Texts = textsOf(a.Fields)
	m.mu.Lock()
	m.asked = append(m.asked, a)
	answers, dimensions := m.answers, m.dimensions
	m.mu.Unlock()
	if answers != nil && answers(w, r, a) {
		return
	}
	shorter, _ := a.Fields["dimensions"].(float64)
	cut, _ := a.Fields["output_dimension"].(float64)
	if r.URL.Path == "/api/embed" { // as many versions do
		shorter = 0
	}
	m.embed(w, a, cmp.Or(int(shorter), int(cut), dimensions))
}

// embed answers as the protocol wants that is spoken at the path.
func (m *model) embed(w http.ResponseWriter, a asked, dimensions int) {
	list := make([][]float32, len(a.Texts))
	tokens := 0
	for i, text := range a.Texts {
		list[i] = llmtest.Vector(text, dimensions)
		tokens += len(strings.Fields(text)) + 1
	}
	switch {
	case a.Path == "/v1/embeddings":
		res := events.EmbeddingsResponse{Object: "list", Model: "m", Usage: events.EmbeddingsUsage{PromptTokens: tokens, TotalTokens: tokens}}
		for i, v := range list {
			res.Data = append(res.Data, events.Embedding{Object: "embedding", Index: i, Embedding: events.Vector{Values: v}})
		}
		reply(w, res)
	case a.Path == "/v2/embed":
		reply(w, map[string]any{
			"id": "1", "texts": a.Texts, "embeddings": typed(a.Fields["embedding_types"], list),
			"meta": map[string]any{"billed_units": map[string]any{"input_tokens": float64(tokens)}},
		})
	case a.Path == "/api/embed":
		reply(w, map[string]any{"model": "m", "embeddings": list, "prompt_eval_count": tokens})
	case a.Path == "/embed", strings.HasPrefix(a.Path, "/hf-inference/models/"):
		reply(w, list)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// reply answers with JSON.
func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who has gone does not read it
}

// refuse answers with an error, in the form of the protocol that is spoken at the path.
func refuse(w http.ResponseWriter, a asked, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	var body any
	switch a.Path {
	case "/v1/embeddings":
		body = map[string]any{"error": map[string]any{"message": message, "type": "invalid_request_error"}}
	case "/v2/embed":
		body = map[string]any{"id": "1", "message": message}
	case "/embed":
		body = map[string]any{"error": message, "error_type": "Validation"}
	default:
		body = map[string]any{"error": message}
	}
	_ = json.NewEncoder(w).Encode(body) // who has gone does not read it
}
