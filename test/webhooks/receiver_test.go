package webhooks_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// answer answers a request, and reports whether it took the event. Tries count from 1.
type answer func(w http.ResponseWriter, r *http.Request, try int) (taken bool)

// receiver is one endpoint, and what it got. Events are known by the number at the end of their ids.
type receiver struct {
	id     string
	answer answer

	mu       sync.Mutex
	got      []event // by number
	requests int
	distinct int // events that were taken
	repeated []repeat
}

// event is what became of an event at a receiver.
type event struct {
	tries int
	taken time.Time // when it was last taken
}

// repeat is an event that was taken again.
type repeat struct {
	number        int
	before, again time.Time
}

// newReceiver makes one for a number of events.
func newReceiver(id string, events int, answer answer) *receiver {
	return &receiver{id: id, got: make([]event, events), answer: answer}
}

// serve serves receivers, each below its own path, and returns the address.
func serve(t *testing.T, receivers ...*receiver) string {
	t.Helper()
	mux := http.NewServeMux()
	for _, r := range receivers {
		mux.Handle("POST /"+r.id, r)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections() // some hang as long as their sender waits
		server.Close()
	})
	return server.URL
}

// ServeHTTP implements [http.Handler].
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return // the sender died in the middle of it
	}
	number, ok := numberOf(req.Header.Get("webhook-id"))
	if !ok || number >= len(r.got) {
		http.Error(w, "not an event of this test", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.requests++
	r.got[number].tries++
	try := r.got[number].tries
	r.mu.Unlock()
	if !r.answer(w, req, try) {
		return
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if before := r.got[number].taken; before.IsZero() {
		r.distinct++
	} else {
		r.repeated = append(r.repeated, repeat{number, before, now})
	}
	r.got[number].taken = now
}

// progress is how many events were taken.
func (r *receiver) progress() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.distinct
}

// numberOf reads the number at the end of an event's id.
func numberOf(id string) (int, bool) {
	n, err := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
	return n, err == nil && n >= 0
}

// take answers as it should be.
func take(w http.ResponseWriter, _ *http.Request, _ int) bool {
	w.WriteHeader(http.StatusNoContent)
	return true
}

// hang answers nothing for as long as the sender waits.
func hang(_ http.ResponseWriter, r *http.Request, _ int) bool {
	<-r.Context().Done()
	return false
}

// refuse always answers 500.
func refuse(w http.ResponseWriter, _ *http.Request, _ int) bool {
	w.WriteHeader(http.StatusInternalServerError)
	return false
}

// flap fails for two seconds of every four.
func flap(w http.ResponseWriter, r *http.Request, try int) bool {
	if time.Now().Unix()%4 < 2 {
		return refuse(w, r, try)
	}
	return take(w, r, try)
}

// slowDown takes what comes a second time, and asks for patience before.
func slowDown(w http.ResponseWriter, r *http.Request, try int) bool {
	if try > 1 {
		return take(w, r, try)
	}
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusTooManyRequests)
	return false
}

// hangUp closes the connection.
func hangUp(http.ResponseWriter, *http.Request, int) bool { panic(http.ErrAbortHandler) }
