package ciwatch_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// door is what a replica's requests over HTTP go through.
type door struct {
	*httptest.Server

	last atomic.Int64 // when a list was asked for, in nanoseconds
}

// newDoor opens a door to what is behind it. Asked, if there is one, is told of a request that was carried out, before it is answered.
func newDoor(t *testing.T, f *fuse, behind http.Handler, asked func(r *http.Request)) *door {
	t.Helper()
	d := &door{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/actions/runs") {
			d.last.Store(time.Now().UnixNano())
		}
		if !f.out(r.Method+" "+kind(r.URL.Path)) || r.Context().Err() != nil { // who was held may have given up in the meantime
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		behind.ServeHTTP(answer, r)
		if asked != nil {
			asked(r)
		}
		if !f.in() {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // whoever asked may be gone
	}))
	t.Cleanup(d.Close)
	return d
}
