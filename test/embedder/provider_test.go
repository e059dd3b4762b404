package embedder_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// providerKey is the key that it takes, and dimensions is how long its vectors are.
const (
	providerKey = "sk-of-the-house"
	dimensions  = 32
)

// provider is a server that speaks OpenAI's embeddings API, and is paid for each text that it is asked for. The texts are "text-<n>",
// and the vector of each says which it is.
type provider struct {
	*httptest.Server

	takes time.Duration // to answer a call

	mu       sync.Mutex
	asked    map[string]int // how often each text was
	calls    int            // that were answered
	largest  int            // texts in one call
	inFlight int
	most     int // in flight at once
}

func newProvider(t *testing.T, takes time.Duration) *provider {
	t.Helper()
	p := &provider{takes: takes, asked: make(map[string]int)}
	p.Server = httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(p.Close)
	return p
}

// answer answers one call. It is paid for what it has been asked, whether anybody waits for the answer or not.
func (p *provider) answer(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Input []string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Input) == 0 || r.Header.Get("Authorization") != "Bearer "+providerKey {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	for _, text := range asked.Input {
		p.asked[text]++
	}
	p.largest = max(p.largest, len(asked.Input))
	p.inFlight++
	p.most = max(p.most, p.inFlight)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.inFlight--
	}()
	select {
	case <-r.Context().Done():
		return
	case <-time.After(p.takes):
	}
	var b strings.Builder
	b.WriteString(`{"object":"list","model":"m","data":[`)
	for i, text := range asked.Input {
		if i > 0 {
			b.WriteByte(',')
		}
		n, err := strconv.Atoi(strings.TrimPrefix(text, "text-"))
		if err != nil {
			http.Error(w, "another text", http.StatusBadRequest)
			return
		}
		_, _ = fmt.Fprintf(&b, `{"object":"embedding","index":%d,"embedding":[%d,%d,1`, i, n%1000-500, n/1000-50) // a builder takes all
		b.WriteString(strings.Repeat(",0", dimensions-3) + "]}")
	}
	_, _ = fmt.Fprintf(&b, `],"usage":{"prompt_tokens":%d,"total_tokens":%d}}`, len(asked.Input), len(asked.Input)) // as above
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(b.String())) // to a client that may have gone
	p.mu.Lock()
	p.calls++
	p.mu.Unlock()
}

// answered returns how many calls were.
func (p *provider) answered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}
