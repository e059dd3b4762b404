package secrettest

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
)

// Failure is how a provider says that it will not answer.
type Failure struct {
	Status int
	Header map[string]string
	Body   string // {{canary}} in it is replaced by the Canary: what a provider says is not ours to print
}

// Wire is a provider that is asked over HTTP, which behaves as its Condition says. It remembers what it was asked.
type Wire struct {
	Condition Condition
	// Handler answers while it is well.
	Handler http.Handler
	// Failures are the answers in the conditions which each provider words for itself: Denied, Expired, Throttled, Broken.
	Failures map[Condition]Failure
	// About tells the requests that the condition is about from those that are answered anyway; nil is all.
	About func(*http.Request) bool

	mu   sync.Mutex
	seen []string
	ill  int
	sent int
}

// elsewhere is where a Wire in condition Redirected sends those who ask.
const elsewhere = "/sent-elsewhere"

// enough is where an endless answer ends: a store that has read so much reads everything.
const enough = 64 << 20

// Seen returns every request so far, in full.
func (w *Wire) Seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.seen...)
}

// Ill returns how many requests have met the condition, if it is not Well.
func (w *Wire) Ill() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ill
}

// Sent returns how many bytes of endless answers have left.
func (w *Wire) Sent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

// ServeHTTP implements [http.Handler].
func (w *Wire) ServeHTTP(resp http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(req.Body, 1<<20)) // a body that is cut off is seen as far as it came
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	ill := w.Condition != Well && (w.About == nil || w.About(req))
	w.mu.Lock()
	w.seen = append(w.seen, fmt.Sprintf("%s %s%s %v %s", req.Method, req.Host, req.RequestURI, req.Header, body))
	if ill {
		w.ill++
	}
	w.mu.Unlock()
	if !ill {
		w.Handler.ServeHTTP(resp, req)
		return
	}
	w.fail(resp, req)
}

// fail answers as the condition says.
func (w *Wire) fail(resp http.ResponseWriter, req *http.Request) {
	switch w.Condition {
	case Slow:
		<-req.Context().Done()
	case Half:
		whole := httptest.NewRecorder()
		w.Handler.ServeHTTP(whole, req)
		maps.Copy(resp.Header(), whole.Header())
		resp.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
		resp.WriteHeader(whole.Code)
		_, _ = resp.Write(whole.Body.Bytes()[:whole.Body.Len()/2]) // who asked may have gone, here and below
	case Garbage:
		_, _ = io.WriteString(resp, "<html>"+Canary)
	case Endless:
		resp.Header().Set("Content-Type", "application/json")
		block := []byte(strings.Repeat("x", 64<<10))
		copy(block, `{"value":"`+Canary)
		for sent := 0; sent < enough; sent += len(block) {
			n, err := resp.Write(block)
			w.mu.Lock()
			w.sent += n
			w.mu.Unlock()
			if err != nil {
				return
			}
			block[0], block[1] = 'x', 'x'
		}
	case Redirected:
		resp.Header().Set("Location", elsewhere)
		status := http.StatusFound
		if w.Ill()%2 == 0 {
			status = http.StatusTemporaryRedirect
		}
		resp.WriteHeader(status)
	case Well, Denied, Expired, Throttled, Broken, Down:
		failure, ok := w.Failures[w.Condition]
		if !ok {
			failure = Failure{Status: http.StatusTeapot}
		}
		for name, value := range failure.Header {
			resp.Header().Set(name, value)
		}
		resp.WriteHeader(failure.Status)
		_, _ = io.WriteString(resp, strings.ReplaceAll(failure.Body, "{{canary}}", Canary))
	}
}
