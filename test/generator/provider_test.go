package generator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// provider is a server that answers "answer to " and the question, and is paid for each.
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
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) != 1 {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	question := asked.Messages[0].Content
	p.mu.Lock()
	p.calls[question] = append(p.calls[question], time.Now())
	p.count++
	p.mu.Unlock()
	if p.takes > 0 {
		select {
		case <-time.After(p.takes):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":`+
		`{"role":"assistant","content":"answer to %s"},"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`, question) // to a client that may have gone
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
