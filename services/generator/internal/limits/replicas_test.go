package limits_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/limits"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// Settings of a replica that is a process of its own.
const (
	natsEnv     = "LIMITS_TEST_NATS"
	providerEnv = "LIMITS_TEST_PROVIDER"
	asksEnv     = "LIMITS_TEST_ASKS"
	nowEnv      = "LIMITS_TEST_NOW"
)

const (
	limitOfAll = 1000 // requests a minute
	workers    = 8    // of a replica
)

func TestMain(m *testing.M) {
	if os.Getenv(natsEnv) == "" {
		m.Run()
		return
	}
	if err := replicate(context.Background()); err != nil {
		fmt.Fprintln(os.Stdout, "failed:", err)
	}
}

// replicate is a replica: it waits until all are there, and asks as often as it is told, or until it is killed. What passes, it
// asks the provider for.
func replicate(ctx context.Context) error {
	asks, err := strconv.Atoi(os.Getenv(asksEnv))
	if err != nil {
		return err
	}
	now, err := strconv.ParseInt(os.Getenv(nowEnv), 10, 64)
	if err != nil {
		return err
	}
	b, err := bus.Connect(ctx, bus.Config{URLs: []string{os.Getenv(natsEnv)}}, "generator", bus.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	l := limits.New(limits.Config{Rules: []limits.Rule{perMinute(limitOfAll)}, Wait: process.Patience}, b, limits.Options{Now: fixed(now)})
	if err := call(ctx, "ready"); err != nil {
		return err
	}
	var asked, passed atomic.Int64
	var failure atomic.Value
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for asks == 0 || asked.Add(1) <= int64(asks) {
				_, err := l.Reserve(ctx, shop, limits.Estimate{})
				if err == nil {
					passed.Add(1)
					err = call(ctx, "call")
				}
				if err != nil && events.CodeOf(err) != events.CodeRateLimited {
					failure.CompareAndSwap(nil, err.Error())
					return
				}
			}
		})
	}
	working.Wait()
	if err := l.Close(ctx); err != nil {
		return err
	}
	if why := failure.Load(); why != nil {
		return fmt.Errorf("%v", why) //nolint:err113 // for the test
	}
	fmt.Fprintf(os.Stdout, "passed=%d.\n", passed.Load())
	return b.Close(ctx)
}

// fixed is a clock that stands still: no minute ends during the test.
func fixed(unix int64) func() time.Time {
	return func() time.Time { return time.Unix(unix, 0) }
}

// call asks the provider for something.
func call(ctx context.Context, what string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv(providerEnv)+"/"+what, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status) //nolint:err113 // for the test
	}
	return nil
}

// provider counts what it is asked for. Replicas begin when all of them are there.
type provider struct {
	calls   atomic.Int64
	present sync.WaitGroup
	hold    int64         // from this call on, nobody is answered until released
	release chan struct{} // closed when they are
	reached chan struct{} // closed with the 300th call
}

func (p *provider) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ready" {
		p.present.Done()
		p.present.Wait()
		return
	}
	n := p.calls.Add(1)
	if n == 300 {
		close(p.reached)
	}
	if n >= p.hold {
		<-p.release
	}
}

// Three processes ask five thousand times under one limit of a thousand: a thousand pass. The same when another one, that asks and
// asks, is killed in the middle.
func TestProcessesShareALimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		asks []int // 0: until it is killed
	}{{"all live", []int{2000, 2000, 1000}}, {"one is killed", []int{2500, 2500, 0}}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := bustest.Start(t)
			p := &provider{hold: 900, release: make(chan struct{}), reached: make(chan struct{})}
			p.present.Add(len(c.asks))
			upstream := httptest.NewServer(p)
			t.Cleanup(upstream.Close)
			now := strconv.FormatInt(time.Now().Unix(), 10)
			var replicas []*process.Process
			var victim *process.Process
			for _, asks := range c.asks {
				r := process.Start(t, os.Args[0], "", map[string]string{
					natsEnv: server.URL(), providerEnv: upstream.URL, asksEnv: strconv.Itoa(asks), nowEnv: now,
				})
				if asks == 0 {
					victim = r
				} else {
					replicas = append(replicas, r)
				}
			}
			select {
			case <-p.reached:
			case <-time.After(process.Patience):
				require.Fail(t, "they do not begin")
			}
			if victim != nil {
				victim.Kill()
				require.Less(t, p.calls.Load(), int64(limitOfAll), "it was not in the middle")
			}
			close(p.release)
			for _, r := range replicas {
				require.Zero(t, r.Exit())
				r.Out.Await(t, `passed=\d+\.`)
			}
			calls := p.calls.Load()
			if victim == nil {
				require.EqualValues(t, limitOfAll, calls)
				return
			}
			t.Logf("%d calls", calls)
			require.LessOrEqual(t, calls, int64(limitOfAll))
			require.GreaterOrEqual(t, calls, int64(limitOfAll-workers), "it takes no more with it than it was asking for")
		})
	}
}
