package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// TestHangingServer: how long one waits for a server that says nothing.
func TestHangingServer(t *testing.T) {
	t.Parallel()
	none := route.Options{}
	for name, c := range map[string]struct {
		deadline time.Duration
		options  route.Options
		streamed bool
		targets  []string
		asked    string
		message  string // empty: it was answered
		took     time.Duration
	}{
		"plain": {
			0, none, false,
			[]string{"b/m", "c/m"},
			"b:k3 b:k3@2m0.25s c@4m0.25s", "", 4*time.Minute + 250*time.Millisecond,
		},
		"plain, alone": {
			0, none, false,
			[]string{"b/m"},
			"b:k3 b:k3@2m0.25s", "it did not answer within 2m0s (2 attempts, 1 of 1 model asked)", 4*time.Minute + 250*time.Millisecond,
		},
		"plain, deadline": { // two thirds of the time are for the first
			30 * time.Second, none, false, []string{"b/m", "c/m"}, "b:k3 c@20s", "", 20 * time.Second,
		},
		"plain, alone, deadline": {
			30 * time.Second, none, false, []string{"b/m"}, "b:k3", "the deadline passed before the work was done", 30 * time.Second,
		},
		"plain, own time": {
			0, route.Options{Answer: 5 * time.Second}, false, []string{"b/m", "c/m"}, "b:k3 b:k3@5.25s c@10.25s", "", 10250 * time.Millisecond,
		},
		"plain, own deadline": {
			0, route.Options{Timeout: 3 * time.Second}, false, []string{"b/m", "c/m"}, "b:k3 c@2s", "", 2 * time.Second,
		},
		"stream": {
			0, none, true, []string{"b/m", "c/m"}, "b:k3 b:k3@1m0.25s c@2m0.25s", "", 2*time.Minute + 250*time.Millisecond,
		},
		"stream, alone": {
			0, none, true,
			[]string{"b/m"},
			"b:k3 b:k3@1m0.25s",
			"it did not begin to answer within 1m0s (2 attempts, 1 of 1 model asked)", 2*time.Minute + 250*time.Millisecond,
		},
		"stream, deadline": {
			30 * time.Second, none, true, []string{"b/m", "c/m"}, "b:k3 c@15s", "", 15 * time.Second,
		},
		"stream, own time": {
			0, route.Options{FirstToken: 2 * time.Second}, true, []string{"b/m", "c/m"}, "b:k3 b:k3@2.25s c@4.25s", "", 4250 * time.Millisecond,
		},
		"stream, no retries": {
			0, route.Options{Retries: new(int)}, true, []string{"b/m", "c/m"}, "b:k3 c@1m0s", "", time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.on("b", hangs())
				e := newEngine(t, w, nil)
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				var r *reader
				if c.streamed {
					r = &reader{}
				}
				_, err := ask(ctx, e, with(to(t, c.targets...), c.options), r)
				require.Equal(t, c.asked, w.asked())
				require.Equal(t, c.took, time.Since(w.begin))
				if c.message == "" {
					require.NoError(t, err)
					return
				}
				require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(err))
				require.Equal(t, c.message, events.AsError(err).Message)
			})
		})
	}
}

// does makes a step of what happens in a stream.
func does(what func(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error) step {
	return func(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) (*events.ChatResponse, error) {
		return nil, what(ctx, call, emit)
	}
}

// TestPauses: what a stream may let pass.
func TestPauses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		does    func(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error
		options route.Options
		message string // empty: it went well
		took    time.Duration
	}{
		"between words": {
			does: func(ctx context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
				for range 20 {
					if err := wait(ctx, 29*time.Second); err != nil {
						return err
					}
					if err := emit(chunk("word")); err != nil {
						return err
					}
				}
				return nil
			}, took: 20 * 29 * time.Second,
		},
		"too long": {
			does: func(ctx context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
				for n := range 3 {
					if err := wait(ctx, time.Duration(n+1)*14*time.Second); err != nil {
						return err
					}
					if err := emit(chunk("word")); err != nil {
						return err
					}
				}
				return nil
			}, message: "it did not go on with its answer within 30s", took: 72 * time.Second,
		},
		"own time": {
			does: func(ctx context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
				if err := emit(chunk("word")); err != nil {
					return err
				}
				return wait(ctx, time.Hour)
			}, options: route.Options{Idle: 1500 * time.Millisecond}, message: "it did not go on with its answer within 1.5s", took: 1500 * time.Millisecond,
		},
		"signs of life": {
			does: func(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
				if err := emit(chunk("word")); err != nil {
					return err
				}
				for range 10 {
					if err := wait(ctx, 29*time.Second); err != nil {
						return err
					}
					call.Alive()
				}
				return emit(chunk("word"))
			}, took: 290 * time.Second,
		},
		"signs of life that end": {
			does: func(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
				if err := emit(chunk("word")); err != nil {
					return err
				}
				if err := wait(ctx, 10*time.Second); err != nil {
					return err
				}
				call.Alive()
				return wait(ctx, time.Hour)
			}, message: "it did not go on with its answer within 30s", took: 40 * time.Second,
		},
		"empty chunks": {
			does: func(ctx context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
				if err := emit(chunk("word")); err != nil {
					return err
				}
				for range 10 {
					if err := wait(ctx, 29*time.Second); err != nil {
						return err
					}
					if err := emit(chunk("")); err != nil {
						return err
					}
				}
				return nil
			}, took: 290 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.on("b", does(c.does))
				e := newEngine(t, w, nil)
				var r reader
				_, err := ask(t.Context(), e, with(to(t, "b/m"), c.options), &r)
				require.Equal(t, c.took, time.Since(w.begin))
				if c.message == "" {
					require.NoError(t, err)
					return
				}
				require.Equal(t, c.message, events.AsError(err).Message)
				require.Equal(t, 1, w.count())
			})
		})
	}
}

// TestNothingTakesThePlaceOfTheFirstOutput: neither signs of life nor empty chunks.
func TestNothingTakesThePlaceOfTheFirstOutput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("b", does(func(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
			for {
				if err := wait(ctx, time.Second); err != nil {
					return err
				}
				call.Alive()
				if err := emit(chunk("")); err != nil {
					return err
				}
			}
		}))
		e := newEngine(t, w, once)
		var r reader
		_, err := ask(t.Context(), e, to(t, "b/m", "c/m"), &r)
		require.NoError(t, err)
		require.Equal(t, "b:k3 c@1m0s", w.asked())
		require.Equal(t, "hello", r.text.String())
	})
}

// TestSlowReader: the time that a reader takes is not the provider's, and afterwards the provider is watched as before.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("b", hangs("one", "two"))
		e := newEngine(t, w, nil)
		_, err := e.Do(t.Context(), engine.Ask{Route: to(t, "b/m"), Request: request(), Emit: func(*events.ChatChunk) error {
			<-time.After(10 * time.Minute)
			return nil
		}})
		require.ErrorContains(t, err, "it did not go on with its answer within 30s")
		require.Equal(t, 20*time.Minute+30*time.Second, time.Since(w.begin))
	})
}

// TestWaitsFitTheDeadline: what would not leave time for an attempt is not waited for.
func TestWaitsFitTheDeadline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault    func() *llm.Fault
		deadline time.Duration
		asked    string
		code     events.Code
		wait     time.Duration
		took     time.Duration
	}{
		"limit":           {retryAfter(429, "20"), 20 * time.Second, "b:k3", events.CodeRateLimited, 20 * time.Second, 0},
		"limit that fits": {retryAfter(429, "20"), 21 * time.Second, "b:k3 b:k3@20.5s", events.CodeRateLimited, 20 * time.Second, 20500 * time.Millisecond},
		"backoff":         {func() *llm.Fault { return status(500) }, 250 * time.Millisecond, "b:k3", events.CodeUnavailable, 0, 0},
		"second backoff":  {func() *llm.Fault { return status(500) }, 600 * time.Millisecond, "b:k3 b:k3@250ms", events.CodeUnavailable, 0, 250 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.on("b", failure{fault: c.fault}.always())
				e := newEngine(t, w, nil)
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				_, err := ask(ctx, e, to(t, "b/m"), nil)
				require.Equal(t, c.asked, w.asked())
				require.Equal(t, c.code, events.CodeOf(err))
				require.Equal(t, c.wait, events.AsError(err).RetryAfter)
				require.Equal(t, c.took, time.Since(w.begin))
			})
		})
	}
}

// TestLimitIsWaitedFor: when nothing else is left, and another target has failed meanwhile.
func TestLimitIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("b", fails(retryAfter(429, "10")()), says("hello"))
		w.on("c", fails(status(404)))
		e := newEngine(t, w, nil)
		res, err := ask(t.Context(), e, to(t, "b/m", "c/m"), nil)
		require.NoError(t, err)
		require.Equal(t, "b:k3 c b:k3@10.5s", w.asked())
		require.Equal(t, "b:k3=limit c:=model b:k3=ok", tried(res))
		require.Equal(t, 10500*time.Millisecond, res.Attempts[2].Waited)
		require.Equal(t, "hello", text(res.Response))
	})
}

// TestCancellation: a caller who leaves ends what is under way at once, and nothing follows.
func TestCancellation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step     step
		streamed bool
		partial  bool
	}{
		"plain":                  {hangs(), false, false},
		"before the first word":  {hangs(), true, false},
		"after the first word":   {hangs("one"), true, true},
		"before another attempt": {fails(network()), false, false},
		"waiting for a limit":    {failure{fault: retryAfter(429, "30")}.always(), false, false},
	} {
		for _, left := range []bool{false, true} {
			how, code := ", deadline", events.CodeDeadlineExceeded
			if left {
				how, code = ", left", events.CodeCanceled
			}
			t.Run(name+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.on("b", c.step)
					e := newEngine(t, w, func(c *engine.Config) { c.Random = func() float64 { return 0.99 } })
					ctx, cancel := context.WithCancel(t.Context())
					if !left {
						ctx, cancel = context.WithDeadline(ctx, w.begin.Add(time.Hour)) // it is not known in advance
						defer cancel()
					}
					ctx, end := context.WithCancelCause(ctx)
					time.AfterFunc(100*time.Millisecond, func() {
						if left {
							cancel()
						} else {
							end(context.DeadlineExceeded)
						}
					})
					var r *reader
					if c.streamed {
						r = &reader{}
					}
					res, err := ask(ctx, e, to(t, "b/m"), r)
					require.Equal(t, 100*time.Millisecond, time.Since(w.begin))
					require.Equal(t, code, events.CodeOf(err))
					require.Equal(t, 1, w.count())
					require.Len(t, res.Attempts, 1)
					_, partial := err.(*engine.PartialError) //nolint:errorlint // nothing wraps it
					require.Equal(t, c.partial, partial)
					_, err = ask(ctx, e, to(t, "c/m"), nil)
					require.Equal(t, code, events.CodeOf(err))
					require.Equal(t, 1, w.count(), "no attempt starts")
					cancel()
					end(nil)
				})
			})
		}
	}
}
