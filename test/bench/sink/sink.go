package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// sink counts webhooks.
type sink struct {
	now     atomic.Pointer[seen]
	buffers sync.Pool // of *[4096]byte
}

// seen is what came since a reset.
type seen struct {
	endpoints, events  int
	requests, distinct atomic.Int64
	first, last        atomic.Int64   // when, in nanoseconds
	latencies          []atomic.Int64 // of each endpoint's events; 0 is not there yet
}

func newSeen(endpoints, events int) *seen {
	return &seen{endpoints: endpoints, events: events, latencies: make([]atomic.Int64, endpoints*events)}
}

// Seen is what GET /seen answers: how many webhooks came, how many different ones, and when, in nanoseconds, the first and
// the last different one did.
type Seen struct {
	Requests int64 `json:"requests"`
	Distinct int64 `json:"distinct"`
	First    int64 `json:"first"`
	Last     int64 `json:"last"`
}

// take takes one webhook.
func (s *sink) take(w http.ResponseWriter, r *http.Request) {
	buffer, ok := s.buffers.Get().(*[4096]byte)
	if !ok {
		http.Error(w, "no buffer", http.StatusInternalServerError)
		return
	}
	defer s.buffers.Put(buffer)
	n, err := io.ReadFull(r.Body, buffer[:])
	if !errors.Is(err, io.ErrUnexpectedEOF) { // nothing, or more than there should be
		http.Error(w, "a body of 1 to 4095 bytes is expected", http.StatusBadRequest)
		return
	}
	at := time.Now().UnixNano()
	if now := s.now.Load(); now != nil {
		now.note(r.PathValue("endpoint"), buffer[:n], at)
	}
	w.WriteHeader(http.StatusNoContent)
}

// note counts one webhook.
func (s *seen) note(endpoint string, body []byte, at int64) {
	s.requests.Add(1)
	e, err := strconv.Atoi(endpoint)
	n, sent := number(body, `"n":`), number(body, `"sent":`)
	if err != nil || e >= s.endpoints || n < 0 || n >= int64(s.events) {
		return // of an earlier measurement
	}
	if !s.latencies[e*s.events+int(n)].CompareAndSwap(0, max(at-sent, 1)) {
		return
	}
	s.first.CompareAndSwap(0, at)
	s.last.Store(at)
	s.distinct.Add(1)
}

// number reads the number behind a name; -1 when there is none.
func number(body []byte, name string) int64 {
	i := bytes.Index(body, []byte(name))
	if i < 0 {
		return -1
	}
	digits := body[i+len(name):]
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(string(digits[:end]), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
