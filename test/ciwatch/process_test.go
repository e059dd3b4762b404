package ciwatch_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// own is a ciwatch in a process of its own.
type own struct {
	*process.Process

	api  *httptest.Server
	last atomic.Int64                    // when it asked for a list, in nanoseconds
	hook atomic.Pointer[func(asked int)] // is called at each request, when it was carried out and is not yet answered
	made atomic.Int64                    // requests since hook was set
}

// TestProcessIsKilled kills, or stops for a while, the leader of three processes: at the moment at which GitHub has carried out one of its
// requests, or a while after.
func TestProcessIsKilled(t *testing.T) {
	t.Parallel()
	points := 10
	if full() {
		points = 60
	}
	random := seeded(t)
	programs.Path(t, "ciwatch") // building may take long; what ended before the watch began is history to it
	gh, err := fakegithub.New(fakegithub.Options{Repository: repository, Token: token})
	require.NoError(t, err)
	w := &world{nats: bustest.Start(t), github: gh}
	w.client = w.nats.Connect(t, "client")
	all := make([]*own, replicas)
	for i := range all {
		all[i] = w.process(t)
	}
	want := map[string]map[string]int{}
	for i := range points {
		wf, conclusion := w.workflow(i), one(random, "success", "failure")
		stop := w.checking(t)
		wf.broken(t)
		leader := w.leading(t, all)
		died := w.doom(t, random, all[leader])
		run := wf.add("failure")
		wf.await(t, events.CIRecoveryAsked)
		require.True(t, <-died)
		if !all[leader].killed() { // it was stopped, goes on, and sees that it is late
			eventually(t, "its leases are over", func() bool { return strings.Contains(all[leader].Errs.String(), "lost a shard") })
			all[leader].Kill()
		}
		gh.Finish(run.ID, conclusion)
		want[wf.name] = wf.ends(t, conclusion)
		stop()
		all[leader] = w.process(t)
	}
	// An order that was under way when its process was stopped may reach GitHub after that of the next leader, which it is not told of in time.
	// GitHub refuses it while the run runs; none is carried out twice.
	carriedOut := map[int64]int{}
	for _, order := range gh.Orders() {
		if order.Status == http.StatusCreated {
			carriedOut[order.RunID]++
		} else {
			t.Logf("refused: %+v", order)
		}
	}
	for run, n := range carriedOut {
		require.Equal(t, 1, n, "run %d", run)
	}
	require.Len(t, carriedOut, points)
	told := w.told(t)
	for name, of := range want {
		require.Equal(t, of, told[name], name)
	}
}

// doom has a process be killed, or stopped for a while, soon. It returns what is written to when that has happened.
func (w *world) doom(t *testing.T, random *rand.Rand, p *own) <-chan bool {
	t.Helper()
	at, delay, kill := 2+random.IntN(4), time.Duration(random.IntN(2)*random.IntN(int(5*time.Millisecond))), random.IntN(4) > 0
	died := make(chan bool, 1)
	pid := p.PID()
	doom := func(asked int) {
		if asked != at {
			return
		}
		happen := func() {
			if kill {
				died <- syscall.Kill(pid, syscall.SIGKILL) == nil
				return
			}
			stopped := syscall.Kill(pid, syscall.SIGSTOP) == nil
			time.AfterFunc(2*lease, func() { died <- syscall.Kill(pid, syscall.SIGCONT) == nil && stopped })
		}
		if delay == 0 {
			happen()
			return
		}
		time.AfterFunc(delay, happen)
	}
	p.made.Store(0)
	p.hook.Store(&doom)
	t.Logf("request %d, after %v, kill: %v", at, delay, kill)
	return died
}

// process starts a ciwatch, and waits until it works.
func (w *world) process(t *testing.T) *own {
	t.Helper()
	p := &own{}
	p.api = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		w.github.ServeHTTP(answer, r)
		if strings.HasSuffix(r.URL.Path, "/actions/runs") {
			p.last.Store(time.Now().UnixNano())
		}
		if hook := p.hook.Load(); hook != nil {
			(*hook)(int(p.made.Add(1)))
		}
		maps.Copy(rw.Header(), answer.Header())
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes()) // whoever asked may be gone
	}))
	t.Cleanup(p.api.Close)
	p.Process = process.Start(t, programs.Path(t, "ciwatch"), "", map[string]string{
		"NATS_URL": w.nats.URL(), "MLSDM_ADMIN_ADDR": "off", "GITHUB_API_URL": p.api.URL, "GITHUB_REPOSITORY": repository, "GITHUB_TOKEN": token,
		"CI_BRANCH": "*", "CI_POLL_INTERVAL": "5s", "CI_FAILURE_THRESHOLD": "2", "CI_RECOVERY": "rerun_failed_jobs", "CI_RECOVERY_DRY_RUN": "false",
		"CI_RECOVERY_COOLDOWN": "0s", "CI_LEASE": lease.String(),
	})
	p.Errs.Await(t, `"?msg"?[:=]"?running`)
	return p
}

// killed reports whether it has ended, and waits for it where that is to be seen soon.
func (p *own) killed() bool {
	select {
	case <-p.Ended():
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

// leading returns which process has just polled.
func (w *world) leading(t *testing.T, all []*own) int {
	t.Helper()
	leader, since := -1, time.Now().UnixNano()
	eventually(t, "somebody polls", func() bool {
		for i, p := range all {
			if p.last.Load() > since {
				leader = i
			}
		}
		return leader >= 0
	})
	return leader
}

// checking has the repository polled all the time, until it is to stop.
func (w *world) checking(t *testing.T) (stop func()) {
	t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		subject := w.client.Subjects().Interactive("", events.OpCICheck)
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), lease)
				_, _ = w.client.Request(ctx, bus.Msg{Subject: subject, Body: []byte("{}")}) // whoever is asked may be dead
				cancel()
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
