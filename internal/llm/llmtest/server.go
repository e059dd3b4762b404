// Package llmtest is the contract of package llm as tests that every adapter runs, and a server that speaks OpenAI's
// protocol, well or badly, for adapters and services to talk to.
package llmtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Key is the API key that a [Server] wants.
const Key = "sk-test-4f8a1c9e7b2d5a60"

// ServerDimensions is the length of the vectors of a [Server] unless the request asks for another.
const ServerDimensions = 8

// Server speaks OpenAI's protocol on a loopback port: embeddings (vectors derived from the text), chat completions (it
// answers "you said: " and the last user message) and their streams. Scripted answers come first.
type Server struct {
	// URL is the base URL, ending in /v1.
	URL string

	mu       sync.Mutex
	script   []http.HandlerFunc
	requests []Request
}

// Request is a request that a [Server] got.
type Request struct {
	Path   string
	Header http.Header
	Body   []byte
}

// NewServer starts a Server that lives as long as the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL + "/v1"
	return s
}

// Script puts answers in a queue; each of the next requests takes one.
func (s *Server) Script(answers ...http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, answers...)
}

// Requests returns what the server got so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Answer is a scripted answer: a status and a JSON body, with headers given as "Name: value".
func Answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		write(w, body)
	}
}

// Stream is a scripted stream: the text as it is, with status 200.
func Stream(text string) http.HandlerFunc {
	return Answer(http.StatusOK, text, "Content-Type: text/event-stream; charset=utf-8")
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	s.requests = append(s.requests, Request{Path: r.URL.Path, Header: r.Header.Clone(), Body: body})
	var scripted http.HandlerFunc
	if len(s.script) > 0 {
		scripted, s.script = s.script[0], s.script[1:]
	}
	s.mu.Unlock()

	switch {
	case scripted != nil:
		scripted(w, r)
	case r.Header.Get("Authorization") != "Bearer "+Key:
		refuse(w, http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided")
	case r.Method == http.MethodPost && r.URL.Path == "/v1/embeddings":
		embeddings(w, body)
	case r.Method == http.MethodPost && r.URL.Path == "/v1/chat/completions":
		chat(w, body)
	default:
		refuse(w, http.StatusNotFound, "", "no such route")
	}
}

// embeddings answers one embeddings request; the vectors come in reverse order, which the protocol allows. That of token ids is that of
// the text "[1 2 3]".
func embeddings(w http.ResponseWriter, body []byte) {
	var req events.EmbeddingsRequest
	if err := json.Unmarshal(body, &req); err != nil || req.Validate() != nil {
		refuse(w, http.StatusBadRequest, "", "bad request")
		return
	}
	if unknown(w, req.Model) {
		return
	}
	dimensions := req.Dimensions
	if dimensions == 0 {
		dimensions = ServerDimensions
	}
	res := events.EmbeddingsResponse{Object: "list", Model: req.Model + "-2026-01-01"}
	for _, ids := range req.Tokens {
		req.Input = append(req.Input, fmt.Sprint(ids))
	}
	for i, text := range slices.Backward(req.Input) {
		res.Data = append(res.Data, events.Embedding{
			Object: "embedding", Index: i,
			Embedding: events.Vector{Values: Vector(text, dimensions), Base64: req.EncodingFormat == events.EncodingBase64},
		})
		res.Usage.PromptTokens += len(strings.Fields(text)) + 1
	}
	res.Usage.TotalTokens = res.Usage.PromptTokens
	reply(w, res)
}

// Vector is the vector that a [Server] has for a text.
func Vector(text string, dimensions int) []float32 {
	out := make([]float32, dimensions)
	for i := range out {
		h := fnv.New32a()
		_, _ = fmt.Fprintf(h, "%d %s", i, text) // writing to a hash never fails
		out[i] = float32(h.Sum32()%2000)/1000 - 1 + 0.0005
	}
	return out
}

// chat answers one chat request, whole or as a stream.
func chat(w http.ResponseWriter, body []byte) {
	var req events.ChatRequest
	if err := json.Unmarshal(body, &req); err != nil || req.Validate() != nil {
		refuse(w, http.StatusBadRequest, "", "bad request")
		return
	}
	if unknown(w, req.Model) {
		return
	}
	said := ""
	usage := &events.ChatUsage{}
	for _, m := range req.Messages {
		usage.PromptTokens += len(strings.Fields(m.Content.String())) + 1
		if m.Role == events.RoleUser {
			said = m.Content.String()
		}
	}
	answer := "you said: " + said
	usage.CompletionTokens = len(strings.Fields(answer))
	usage.TotalTokens = usage.PromptTokens + usage.CompletionTokens
	if !req.Stream {
		reply(w, events.ChatResponse{
			ID: "chatcmpl-1", Object: events.ObjectChatCompletion, Created: 1760000000, Model: req.Model, Usage: usage,
			Choices: []events.ChatChoice{{
				Message:      events.ChatMessage{Role: events.RoleAssistant, Content: events.TextContent(answer)},
				FinishReason: events.FinishStop,
			}},
		})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	chunk := func(choices, more string) {
		write(w, `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"`+req.Model+`","choices":`+choices+more+`}`+"\n\n")
	}
	chunk(`[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]`, `,"obfuscation":"x1y2"`)
	for _, piece := range strings.SplitAfter(answer, " ") {
		text, err := json.Marshal(piece)
		if err != nil {
			return
		}
		chunk(`[{"index":0,"delta":{"content":`+string(text)+`},"finish_reason":null}]`, `,"obfuscation":"x1"`)
	}
	chunk(`[{"index":0,"delta":{},"finish_reason":"stop"}]`, "")
	if req.StreamOptions != nil && req.StreamOptions.IncludeUsage {
		text, err := json.Marshal(usage)
		if err != nil {
			return
		}
		chunk(`[]`, `,"usage":`+string(text))
	}
	write(w, "data: [DONE]\n\n")
}

// unknown answers for a model that does not exist.
func unknown(w http.ResponseWriter, model string) bool {
	if model != "no-such-model" {
		return false
	}
	refuse(w, http.StatusNotFound, "model_not_found", "The model does not exist")
	return true
}

// refuse answers with an error in OpenAI's form.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	write(w, fmt.Sprintf(`{"error":{"message":%q,"type":"invalid_request_error","param":null,"code":%q}}`, message, code))
}

// reply answers with JSON.
func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// An error here means that the client is gone.
	_ = json.NewEncoder(w).Encode(v) // a client that has gone is what some tests are about
}

// write sends text at once.
func write(w http.ResponseWriter, text string) {
	// An error here means that the client is gone.
	_, _ = io.WriteString(w, text) // a client that has gone is what some tests are about
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}
