package generator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// providerKey is the key that it takes.
const providerKey = "sk-of-the-house"

// provider is a server that answers "answer to " and the question, as a stream if that is asked for, and is paid for each.
type provider struct {
	*httptest.Server

	// takes is how long it takes to answer.
	takes time.Duration

	mu    sync.Mutex
	calls map[string][]time.Time // by question: when each began
	count int
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{calls: make(map[string][]time.Time)}
	p.Server = httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(p.Close)
	return p
}

// answer answers one request. It is paid for what it has been asked, whether anybody waits for the answer or not.
func (p *provider) answer(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Messages []struct{ Content string }
		Stream   bool
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) != 1 || r.Header.Get("Authorization") != "Bearer "+providerKey {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	question := asked.Messages[0].Content
	p.mu.Lock()
	p.calls[question] = append(p.calls[question], time.Now())
	p.count++
	p.mu.Unlock()
	if asked.Stream {
		p.stream(w, r, question)
		return
	}
	if !p.pause(r, p.takes) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":`+
		`{"role":"assistant","content":"answer to %s"},"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`, question) // to a client that may have gone
}

// stream answers word by word.
func (p *provider) stream(w http.ResponseWriter, r *http.Request, question string) {
	words := strings.SplitAfter("answer to "+question, " ")
	w.Header().Set("Content-Type", "text/event-stream")
	for _, word := range words {
		if !p.pause(r, p.takes/time.Duration(len(words))) {
			return
		}
		_, err := fmt.Fprintf(w, `data: {"id":"1","choices":[{"index":0,"delta":{"content":%q}}]}`+"\n\n", word)
		if err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
	}
	_, _ = io.WriteString(w, `data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n") // as above
}

// pause waits a while, and reports whether the caller is still there.
func (p *provider) pause(r *http.Request, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}

// paid is how many calls there were.
func (p *provider) paid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// begun are the times at which calls with a question began.
func (p *provider) begun(question string) []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]time.Time(nil), p.calls[question]...)
}
