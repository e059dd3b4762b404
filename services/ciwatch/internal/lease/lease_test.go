package lease_test

import (
	"bytes"
	"context"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/lease"
)

const (
	patience = 30 * time.Second
	shards   = 8
)

// replica is one that takes part in the test's own way.
type replica struct {
	leases *lease.Leases
	kv     *bus.KV
	cancel context.CancelFunc
	ended  chan error
}

// start has a replica take part until the test ends.
func start(t *testing.T, b *bus.Bus, ttl time.Duration, lead func(context.Context, lease.Lease)) *replica {
	t.Helper()
	kv, err := b.KV(t.Context(), events.BucketCILeases)
	require.NoError(t, err)
	r := &replica{kv: kv, ended: make(chan error, 1)}
	r.leases = lease.New(kv, lease.Config{Shards: shards, Name: b.Name(), TTL: ttl, Logger: bustest.Logger(t)})
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- r.leases.Run(ctx, lead) }()
	t.Cleanup(func() {
		cancel()
		err := <-r.ended
		r.ended <- err
	})
	return r
}

// stop ends a replica properly.
func (r *replica) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	require.NoError(t, r.wait(t))
}

func (r *replica) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- err
		return err
	case <-time.After(patience):
		require.FailNow(t, "the replica does not stop")
		return nil
	}
}

// connect connects through a network of its own.
func connect(t *testing.T, s *bustest.Server, name string) (*bus.Bus, *proxy) {
	t.Helper()
	p := newProxy(t, strings.TrimPrefix(s.URL(), "nats://"))
	b, err := bus.Connect(t.Context(), bus.Config{URLs: []string{p.url()}}, name, bus.Options{Logger: bustest.Logger(t)})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Logf("closing %s: %v", name, err)
		}
	})
	return b, p
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, patience, 5*time.Millisecond, what)
}

// divided waits until the shards are divided so among those who lead any.
func divided(t *testing.T, r *recorder, want ...int) {
	t.Helper()
	var got []int
	require.Eventuallyf(t, func() bool {
		got = nil
		for _, n := range r.shares() {
			got = append(got, n)
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	}, patience, 5*time.Millisecond, "want %v", want)
}

func TestOneLeadsAll(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	one := start(t, s.Connect(t, "one"), 0, r.lead("one"))
	divided(t, r, 8)
	eventually(t, "all holders are known", func() bool {
		return !slices.ContainsFunc(one.leases.Holders(), func(name string) bool { return name != one.leases.Name() })
	})
	require.Equal(t, 1, one.leases.Replicas())
	require.True(t, strings.HasPrefix(one.leases.Name(), "one-"))
	for shard := range shards {
		l := r.last(shard)
		require.Equal(t, shard, l.Shard)
		require.True(t, l.Valid())
		require.WithinDuration(t, time.Now(), l.Until(), 10*time.Second)
	}
	one.stop(t)
	for shard := range shards {
		_, _, err := one.kv.Get(t.Context(), "shard."+string(rune('0'+shard)))
		require.ErrorIs(t, err, bus.ErrNotFound, "it was given back")
	}
	require.Empty(t, r.shares())
}

func TestAsTheServiceMay(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t, bustest.Closed()), record(t)
	start(t, s.Connect(t, events.ServiceCIWatch), 0, r.lead("one"))
	divided(t, r, 8)
	start(t, s.Connect(t, events.ServiceCIWatch), 0, r.lead("two"))
	divided(t, r, 4, 4)
}

func TestSharesAreEven(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	// So long that nothing is had by waiting for it.
	const ttl = 5 * time.Minute
	one := start(t, s.Connect(t, "one"), ttl, r.lead("one"))
	divided(t, r, 8)
	start(t, s.Connect(t, "two"), ttl, r.lead("two"))
	divided(t, r, 4, 4)
	start(t, s.Connect(t, "three"), ttl, r.lead("three"))
	divided(t, r, 2, 3, 3)
	for _, name := range []string{"four", "five"} {
		start(t, s.Connect(t, name), ttl, r.lead(name))
	}
	divided(t, r, 1, 1, 2, 2, 2)
	one.stop(t)
	divided(t, r, 2, 2, 2, 2)
	require.Equal(t, 1, r.atOnce(), "nobody begins before the one before has returned")
}

func TestSlowWorkIsWaitedFor(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	const ttl = time.Second
	finish := make(chan struct{})
	one := start(t, s.Connect(t, "one"), ttl, func(ctx context.Context, l lease.Lease) {
		r.gained("one", &l)
		<-ctx.Done()
		<-finish
		r.ended("one", l.Shard)
	})
	divided(t, r, 8)
	one.cancel()
	start(t, s.Connect(t, "two"), ttl, r.lead("two"))
	before := r.last(0).Until()
	eventually(t, "it is renewed while the work ends", func() bool { return r.last(0).Until().After(before.Add(2 * ttl)) })
	require.Equal(t, map[string]int{"one": 8}, r.shares())
	close(finish)
	divided(t, r, 8)
	eventually(t, "the other one leads", func() bool { return r.shares()["two"] == 8 })
	require.NoError(t, one.wait(t))
	require.Equal(t, 1, r.atOnce())
}

func TestWorkThatReturnsByItself(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	begun := make(chan lease.Lease, 100)
	start(t, s.Connect(t, "one"), 300*time.Millisecond, func(ctx context.Context, l lease.Lease) {
		if l.Shard != 3 {
			<-ctx.Done()
			return
		}
		select {
		case begun <- l:
		default:
		}
	})
	var last lease.Lease
	for range 3 {
		select {
		case l := <-begun:
			require.Greater(t, l.Fence, last.Fence)
			last = l
		case <-time.After(patience):
			require.FailNow(t, "the work is not begun again")
		}
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	b := s.Connect(t, "one")
	// Goroutines have the labels of who started them.
	pprof.Do(t.Context(), pprof.Labels("test", t.Name()), func(context.Context) {
		one := start(t, b, time.Second, r.lead("one"))
		divided(t, r, 8)
		require.Positive(t, goroutines(t))
		one.stop(t)
	})
	eventually(t, "all have ended", func() bool { return goroutines(t) == 0 })
}

// goroutines counts the kinds of goroutines that a test's leases have started.
func goroutines(t *testing.T) int {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&out, 1))
	n := 0
	for kind := range strings.SplitSeq(out.String(), "\n\n") {
		if strings.Contains(kind, t.Name()) && strings.Contains(kind, "internal/lease.") {
			n++
		}
	}
	return n
}

func TestZeroLease(t *testing.T) {
	t.Parallel()
	var l lease.Lease
	require.False(t, l.Valid())
	require.Zero(t, l.Until())
}

func TestEndsBeforeItBegins(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b, p := connect(t, s, "one")
	kv, err := b.KV(t.Context(), events.BucketCILeases)
	require.NoError(t, err)
	p.set(true, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, lease.New(kv, lease.Config{Shards: shards}).Run(ctx, func(context.Context, lease.Lease) {
		t.Error("there is nothing to lead")
	}))
}
