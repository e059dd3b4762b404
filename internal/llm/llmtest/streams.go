package llmtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// patience bounds what has to happen at once, on the slowest machine.
const patience = 30 * time.Second

// pings: what is no output is no chunk, and shows that the server lives.
func (d *Dialect) pings(t *testing.T) {
	t.Parallel()
	reply := d.text("one two three")
	pieces := []string{d.preface()}
	for _, piece := range d.Stream(reply) {
		pieces = append(pieces, d.Ping, piece)
	}
	r := d.serve(t, d.streams(pieces...))
	call, alive := hello(), 0
	call.Alive = func() { alive++ }
	out, _, err := r.stream(t.Context(), call)
	require.NoError(t, err)
	d.expect(t, reply, out)
	if d.Ping != "" {
		require.GreaterOrEqual(t, alive, len(pieces)/2)
	}
}

// giveUp: an error of emit ends the stream, and the connection.
func (d *Dialect) giveUp(t *testing.T) {
	t.Parallel()
	enough, calls := errors.New("enough"), 0
	r, _ := d.hang(t, d.Stream(d.text("one two three"))...)
	err := r.adapter.Stream(t.Context(), hello(), func(*events.ChatChunk) error {
		calls++
		return enough
	})
	require.Equal(t, enough, err, "it is returned as it is")
	require.Equal(t, 1, calls)
	r.gone(t)
}

// hang serves pieces and then, from when reached is closed, nothing until the client is gone.
func (d *Dialect) hang(t *testing.T, pieces ...string) (r *rig, reached <-chan struct{}) {
	t.Helper()
	sent := make(chan struct{})
	return d.serve(t, func(w http.ResponseWriter, req *http.Request) {
		if len(pieces) > 0 {
			d.streams(pieces...)(w, req)
		}
		close(sent)
		<-req.Context().Done()
	}), sent
}

// leave makes a call to a server that hangs, ends it, and checks what comes of it on both sides.
func (d *Dialect) leave(t *testing.T, way departure, streamed bool, pieces ...string) {
	t.Helper()
	ctx, now := way.leave(t)
	r, reached := d.hang(t, pieces...)
	done := make(chan error, 1)
	go func() { done <- r.ask(ctx, hello(), streamed) }()
	select {
	case <-reached:
		now()
		way.check(t, d.finished(t, done))
	case err := <-done: // the time was up before the server had the request
		way.check(t, err)
	}
	r.gone(t)
}

// gone waits until no request is left that somebody waits for: the server closes when all have ended. On a busy machine a client may
// leave before the server has seen its request at all.
func (r *rig) gone(t *testing.T) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		r.server.Close()
		close(closed)
	}()
	wait(t, closed, "the connection is closed")
}

// wait waits for what has to happen.
func wait(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		require.FailNow(t, what+": it did not happen")
	}
}

// departure is a way to end a call.
type departure struct {
	leave func(t *testing.T) (ctx context.Context, now func())
	check func(t *testing.T, err error)
}

// departures are all of them.
func (d *Dialect) departures() map[string]departure {
	late := &llm.Fault{Class: llm.ClassTimeout, Err: events.Errorf(events.CodeDeadlineExceeded, "no further chunk within 5s")}
	return map[string]departure{
		"canceled": {
			func(t *testing.T) (context.Context, func()) { t.Helper(); return context.WithCancel(t.Context()) },
			func(t *testing.T, err error) {
				t.Helper()
				fault := d.fault(t, err)
				require.Equal(t, llm.ClassCanceled, fault.Class)
				require.Equal(t, events.CodeCanceled, fault.Err.Code)
			},
		},
		"out of time": {
			func(t *testing.T) (context.Context, func()) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				t.Cleanup(cancel)
				return ctx, func() {}
			},
			func(t *testing.T, err error) {
				t.Helper()
				fault := d.fault(t, err)
				require.Equal(t, llm.ClassTimeout, fault.Class)
				require.Equal(t, events.CodeDeadlineExceeded, fault.Err.Code)
			},
		},
		"watched": { // as the engine does, which has its own reason
			func(t *testing.T) (context.Context, func()) {
				t.Helper()
				ctx, cancel := context.WithCancelCause(t.Context())
				return ctx, func() { cancel(late) }
			},
			func(t *testing.T, err error) { t.Helper(); require.Equal(t, error(late), err) },
		},
	}
}

// leaves: who leaves is answered, and the connection is closed, at whatever point the answer is.
func (d *Dialect) leaves(t *testing.T) {
	pieces := d.Stream(d.text("one two three"))
	for name, way := range d.departures() {
		for point, sent := range map[string][]string{"before the answer": nil, "before output": {d.preface()}, "in the middle": pieces[:2]} {
			t.Run(name+" "+point, func(t *testing.T) {
				t.Parallel()
				d.leave(t, way, true, sent...)
			})
		}
		t.Run(name+" plain", func(t *testing.T) {
			t.Parallel()
			d.leave(t, way, false)
		})
	}
	t.Run("gone before it began", func(t *testing.T) {
		both(t, func(t *testing.T, streamed bool) {
			r := d.serve(t, d.says(d.text("hi"), streamed))
			checkEnded(t, func(ctx context.Context) error { return d.fault(t, r.ask(ctx, hello(), streamed)) })
		})
	})
}

// finished waits for a call to end.
func (d *Dialect) finished(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		require.FailNow(t, "the call does not end")
		return nil
	}
}

// together: many calls at the same time do not see each other.
func (d *Dialect) together(t *testing.T) {
	both(t, func(t *testing.T, streamed bool) {
		var mu sync.Mutex
		count := 0
		r := d.serve(t, func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			count++
			text := fmt.Sprintf("answer number %d of many", count)
			mu.Unlock()
			d.says(d.text(text), streamed)(w, req)
		})
		const calls = 32
		call := hello() // one for all: nobody changes it
		texts := make(chan string, calls)
		for range calls {
			go func() {
				var out *outcome
				var err error
				if streamed {
					out, _, err = r.stream(t.Context(), call)
				} else {
					out, err = r.chat(t.Context(), call)
				}
				if err != nil {
					texts <- err.Error()
					return
				}
				texts <- out.said[0].Text
			}()
		}
		seen := map[string]bool{}
		for range calls {
			seen[<-texts] = true
		}
		for i := range calls {
			require.Contains(t, seen, fmt.Sprintf("answer number %d of many", i+1))
		}
	})
}
