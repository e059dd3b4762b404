package cache_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

// However many ask, and wherever, it is made once.
func TestOneLoadForAllReplicas(t *testing.T) {
	t.Parallel()
	addr, name := redistest.Addr(t), space()
	calls, begun, release := &counter{}, make(chan struct{}), make(chan struct{})
	load := func(ctx context.Context) ([]byte, error) {
		calls.add()
		close(begun)
		<-release
		return []byte("v"), ctx.Err()
	}
	var all sync.WaitGroup
	spaces := make([]*cache.Namespace, 3)
	for i := range spaces {
		_, spaces[i], _ = replica(t, at(addr), name, cache.Options{Wait: patience, LoadTimeout: 2 * patience})
	}
	ask := func(n *cache.Namespace) {
		for range 20 {
			all.Go(func() {
				got, err := n.GetOrLoad(t.Context(), "k", load)
				if err != nil || string(got) != "v" {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
	}
	ask(spaces[0])
	<-begun
	ask(spaces[1])
	ask(spaces[2])
	eventually(t, func() bool { return spaces[1].Stats().Waits > 0 && spaces[2].Stats().Waits > 0 }, "the others wait")
	close(release)
	all.Wait()
	require.Equal(t, 1, calls.count())
	stats := spaces[0].Stats()
	require.Equal(t, uint64(1), stats.Fills)
	require.Positive(t, stats.FillSeconds)
	require.Zero(t, spaces[1].Stats().Fills)
	locks, err := redistest.Client(t, addr).Exists(t.Context(), "mlsdm:lock:"+name+":k").Result()
	require.NoError(t, err)
	require.Zero(t, locks, "it is given back")
}

// Who makes it may die.
func TestALockEndsByItself(t *testing.T) {
	t.Parallel()
	addr, name := redistest.Addr(t), space()
	require.NoError(t, redistest.Client(t, addr).Set(t.Context(), "mlsdm:lock:"+name+":dead", "somebody", 300*time.Millisecond).Err())
	require.NoError(t, redistest.Client(t, addr).Set(t.Context(), "mlsdm:lock:"+name+":slow", "somebody", time.Hour).Err())
	_, n, _ := replica(t, at(addr), name, cache.Options{Wait: 200 * time.Millisecond})
	_, patient, _ := replica(t, at(addr), name, cache.Options{Wait: time.Hour})
	calls := &counter{}
	for key, asked := range map[string]*cache.Namespace{"dead": patient, "slow": n} {
		got, err := asked.GetOrLoad(t.Context(), key, value("v", calls))
		require.NoError(t, err)
		require.Equal(t, "v", string(got))
	}
	require.Equal(t, 2, calls.count())
	holder, err := redistest.Client(t, addr).Get(t.Context(), "mlsdm:lock:"+name+":slow").Result()
	require.NoError(t, err)
	require.Equal(t, "somebody", holder, "it is not ours to give back")
}

func TestLoadsThatFail(t *testing.T) {
	t.Parallel()
	one, two, _, _ := replicas(t, cache.Options{Wait: patience})
	broken := errors.New("broken")
	_, err := one.GetOrLoad(t.Context(), "k", func(context.Context) ([]byte, error) { return nil, broken })
	require.ErrorIs(t, err, broken)
	_, err = one.GetOrLoad(t.Context(), "k", func(context.Context) ([]byte, error) { panic("oh") })
	require.ErrorContains(t, err, "panicked: oh")
	calls := &counter{}
	got, err := two.GetOrLoad(t.Context(), "k", value("v", calls))
	require.NoError(t, err, "nothing of it is kept")
	require.Equal(t, "v", string(got))
}

func TestWhatIsKnownToBeAbsent(t *testing.T) {
	t.Parallel()
	one, two, _, _ := replicas(t, cache.Options{AbsentTTL: time.Hour})
	calls := &counter{}
	none := func(context.Context) ([]byte, error) {
		calls.add()
		return nil, cache.ErrAbsent
	}
	for _, n := range []*cache.Namespace{one, one, two, two} {
		_, err := n.GetOrLoad(t.Context(), "k", none)
		require.ErrorIs(t, err, cache.ErrAbsent)
		require.Empty(t, get(t, n, "k"))
	}
	require.Equal(t, 1, calls.count())
	set(t, one, "k", "now")
	got, err := one.GetOrLoad(t.Context(), "k", none)
	require.NoError(t, err)
	require.Equal(t, "now", string(got))
	_, forgetful, _ := replica(t, settings(), "x", cache.Options{})
	for range 2 {
		_, err := forgetful.GetOrLoad(t.Context(), "k", none)
		require.ErrorIs(t, err, cache.ErrAbsent)
	}
	require.Equal(t, 3, calls.count())
}

// Who leaves takes nothing away from those who stay.
func TestACallerThatLeaves(t *testing.T) {
	t.Parallel()
	_, n, _ := replica(t, settings(), "x", cache.Options{})
	begun, release := make(chan struct{}), make(chan struct{})
	load := func(ctx context.Context) ([]byte, error) {
		close(begun)
		<-release
		return []byte("v"), ctx.Err()
	}
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := n.GetOrLoad(ctx, "k", load)
		left <- err
	}()
	<-begun
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	close(release)
	calls := &counter{}
	got, err := n.GetOrLoad(t.Context(), "k", value("another", calls))
	require.NoError(t, err)
	require.Equal(t, "v", string(got))
	require.Zero(t, calls.count())
}

// What is old is given while newer is made, and only so long.
func TestStaleWhileItIsMadeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, n, _ := replica(t, settings(), "x", cache.Options{TTL: time.Minute, Grace: time.Minute})
		calls := &counter{}
		load := func(text string) string {
			got, err := n.GetOrLoad(t.Context(), "k", value(text, calls))
			require.NoError(t, err)
			synctest.Wait()
			return string(got)
		}
		require.Equal(t, "1", load("1"))
		<-time.After(50 * time.Second)
		require.Equal(t, "1", load("-"))
		<-time.After(15 * time.Second)
		require.Empty(t, get(t, n, "k"), "not for who makes none")
		require.Equal(t, "1", load("2"))
		require.Equal(t, "2", load("-"))
		require.Equal(t, uint64(1), n.Stats().Stale)
		<-time.After(5 * time.Minute)
		require.Equal(t, "3", load("3"), "too old")
		require.Equal(t, 3, calls.count())
	})
}

// What takes long to make and is asked for all the time is made again before its time is over: nobody waits.
func TestItIsMadeAgainEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, n, _ := replica(t, settings(), "x", cache.Options{TTL: time.Minute})
		calls := &counter{}
		slow := func(context.Context) ([]byte, error) {
			calls.add()
			<-time.After(2 * time.Second)
			return []byte("v"), nil
		}
		_, err := n.GetOrLoad(t.Context(), "k", slow)
		require.NoError(t, err)
		start := time.Now()
		for time.Since(start) < 10*time.Minute {
			asked := time.Now()
			_, err := n.GetOrLoad(t.Context(), "k", slow)
			require.NoError(t, err)
			require.Zero(t, time.Since(asked), "somebody has waited")
			<-time.After(10 * time.Millisecond)
		}
		<-time.After(time.Minute) // what is being made is finished
		require.InDelta(t, 13, calls.count(), 4)
	})
}

// What is deleted while it is made is not kept.
func TestDeletedWhileItIsMade(t *testing.T) {
	t.Parallel()
	one, two, _, _ := replicas(t, cache.Options{})
	got, err := one.GetOrLoad(t.Context(), "k", func(ctx context.Context) ([]byte, error) {
		return []byte("old"), one.Delete(ctx, "k")
	})
	require.NoError(t, err)
	require.Equal(t, "old", string(got))
	require.Empty(t, get(t, one, "k"))
	require.Empty(t, get(t, two, "k"))
}
