// Command sink is the receiver of the benchmarks: it counts webhooks and tells how long after their publish they came. It is
// a process of its own, so that what it costs is told apart from what delivering costs.
//
// It answers 204 to POST /ok/<endpoint>, and fails in its own way below /hang, /500, /flap, /429 and /close. The data of each
// event has to begin with its number and the time it was published, in nanoseconds: {"n":17,"sent":1763900000000000000,...
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		panic(err)
	}
}

// run serves on a free port, which it prints, until ctx ends.
func run(ctx context.Context, out io.Writer) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newHandler(), ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // nothing is lost by it
	if _, err := fmt.Fprintf(out, "http://%s\n", l.Addr()); err != nil {
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newHandler returns the whole of the sink.
func newHandler() http.Handler {
	s := &sink{buffers: sync.Pool{New: func() any { return new([4096]byte) }}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ok/{endpoint}", s.take)
	mux.HandleFunc("POST /hang/{endpoint}", hang)
	mux.HandleFunc("POST /500/{endpoint}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.HandleFunc("POST /flap/{endpoint}", flap)
	mux.HandleFunc("POST /429/{endpoint}", tooMany)
	mux.HandleFunc("POST /close/{endpoint}", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("POST /reset", s.reset)
	mux.HandleFunc("GET /seen", s.tell)
	mux.HandleFunc("GET /latencies", s.tellLatencies)
	return mux
}

// hang answers nothing for as long as the sender waits.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // the sender's end is noticed only when its body was read
	<-r.Context().Done()
}

// flap fails for two seconds of every four.
func flap(w http.ResponseWriter, _ *http.Request) {
	if time.Now().Unix()%4 < 2 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// tooMany asks for patience.
func tooMany(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "2")
	w.WriteHeader(http.StatusTooManyRequests)
}

// tell tells what was seen since the reset.
func (s *sink) tell(w http.ResponseWriter, _ *http.Request) {
	seen := s.now.Load()
	if seen == nil {
		seen = newSeen(0, 0)
	}
	answer(w, Seen{
		Requests: seen.requests.Load(), Distinct: seen.distinct.Load(), First: seen.first.Load(), Last: seen.last.Load(),
	})
}

// tellLatencies tells, for each delivery that came, how many nanoseconds after its publish it did.
func (s *sink) tellLatencies(w http.ResponseWriter, _ *http.Request) {
	all := []int64{}
	if seen := s.now.Load(); seen != nil {
		for i := range seen.latencies {
			if latency := seen.latencies[i].Load(); latency != 0 {
				all = append(all, latency)
			}
		}
	}
	answer(w, all)
}

// reset forgets everything and makes room for a number of endpoints and events.
func (s *sink) reset(w http.ResponseWriter, r *http.Request) {
	endpoints, err := strconv.Atoi(r.FormValue("endpoints"))
	events, err2 := strconv.Atoi(r.FormValue("events"))
	if err := errors.Join(err, err2); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.now.Store(newSeen(endpoints, events))
	w.WriteHeader(http.StatusNoContent)
}

// answer writes JSON.
func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // who asked has gone
}
