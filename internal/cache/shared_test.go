package cache_test

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

func TestReplicasShareRedis(t *testing.T) {
	t.Parallel()
	one, two, addr, name := replicas(t, cache.Options{})
	var keys []string
	var values [][]byte
	for i := range 700 { // more than one batch
		keys, values = append(keys, "k"+strconv.Itoa(i)), append(values, []byte(strconv.Itoa(i)))
	}
	one.SetMulti(t.Context(), keys, values)
	asked := append([]string{"missing"}, keys...)
	asked = append(asked, "k3", "missing", "k3")
	want := append([][]byte{nil}, values...)
	want = append(want, []byte("3"), nil, []byte("3"))
	require.Equal(t, want, two.GetMulti(t.Context(), asked))

	client := redistest.Client(t, addr)
	spread := make(map[time.Duration]bool)
	for _, key := range keys {
		left, err := client.PTTL(t.Context(), "mlsdm:"+name+":"+key).Result()
		require.NoError(t, err)
		require.LessOrEqual(t, left, time.Hour)
		require.Greater(t, left, 54*time.Minute-patience, "at most a tenth less")
		spread[left.Truncate(time.Second)] = true
	}
	require.Greater(t, len(spread), 50, "what came together does not expire together")
	require.NoError(t, client.Unlink(t.Context(), "mlsdm:"+name+":k5").Err())
	require.Equal(t, "5", get(t, two, "k5"), "what was found is kept near")
	stats := two.Stats()
	require.Equal(t, uint64(702), stats.Redis.Hits)
	require.Equal(t, uint64(2), stats.Misses)
	require.Equal(t, uint64(1), stats.Memory.Hits)
	require.Greater(t, stats.Redis.BytesRead, uint64(702*24))
	require.Greater(t, one.Stats().Redis.BytesWritten, uint64(700*24))
}

// What was found in Redis stays in the process for its own time, whatever is left of that in Redis.
func TestCopiesDoNotOutliveTheirLifetime(t *testing.T) {
	t.Parallel()
	one, two, _, _ := replicas(t, cache.Options{TTL: 3 * time.Second, CopyTTL: time.Hour})
	start := time.Now()
	set(t, one, "k", "v")
	if get(t, two, "k") == "" {
		require.Greater(t, time.Since(start), 2600*time.Millisecond)
		return
	}
	eventually(t, func() bool { return get(t, two, "k") == "" }, "its time is over")
	require.Greater(t, time.Since(start), 2600*time.Millisecond)
}

// Redis holds what somebody has put there. Whatever that is, it is not taken for a value.
func TestWhatIsNotOursIsNotThere(t *testing.T) {
	t.Parallel()
	one, two, addr, name := replicas(t, cache.Options{})
	client := redistest.Client(t, addr)
	set(t, one, "k", "the value")
	set(t, one, "other", "another")
	good, err := client.Get(t.Context(), "mlsdm:"+name+":k").Bytes()
	require.NoError(t, err)
	other, err := client.Get(t.Context(), "mlsdm:"+name+":other").Bytes()
	require.NoError(t, err)
	bad := [][]byte{{}, []byte("nonsense"), good[:23], good[:len(good)-1], append(bytes.Clone(good), 0), other, []byte("\x80\x04\x95pickle.")}
	for i := range good {
		broken := bytes.Clone(good)
		broken[i] ^= 0x10
		bad = append(bad, broken)
	}
	for i, value := range bad {
		require.NoError(t, client.Set(t.Context(), "mlsdm:"+name+":k", value, time.Minute).Err())
		require.Empty(t, get(t, two, "k"), "%q", value)
		require.Equal(t, uint64(i+1), two.Stats().Corrupt)
	}
	require.NoError(t, client.Del(t.Context(), "mlsdm:"+name+":k").Err())
	require.NoError(t, client.LPush(t.Context(), "mlsdm:"+name+":k", "a list").Err())
	require.Empty(t, get(t, two, "k"), "of another type")
	require.Equal(t, [][]byte{nil, []byte("another")}, two.GetMulti(t.Context(), []string{"k", "other"}))
	require.NoError(t, client.Set(t.Context(), "mlsdm:"+name+":k", good, time.Minute).Err())
	require.Equal(t, "the value", string(two.GetMulti(t.Context(), []string{"k", "other"})[0]))
}

func TestDelete(t *testing.T) {
	t.Parallel()
	one, two, addr, name := replicas(t, cache.Options{})
	_, neighbour, _ := replica(t, at(addr), name+"x", cache.Options{})
	keys, values := []string{"a*b:1", "a*b:2", "a?b:1", "axb:1", `a\[b`}, [][]byte{{1}, {2}, {3}, {4}, {5}}
	for i := range 2500 { // more than one step of the scan
		keys, values = append(keys, "many:"+strconv.Itoa(i)), append(values, []byte{6})
	}
	one.SetMulti(t.Context(), keys, values)
	set(t, neighbour, "a*b:1", "not yours")
	require.NoError(t, one.Delete(t.Context(), "a?b:1"))
	require.Empty(t, get(t, two, "a?b:1"))
	for prefix, want := range map[string]int{"a*b:": 2, `a\[`: 1, "many:": 2500, "none": 0} {
		removed, err := one.DeletePrefix(t.Context(), prefix)
		require.NoError(t, err)
		require.Equal(t, want, removed, prefix)
	}
	require.Empty(t, get(t, two, "a*b:1"))
	require.Empty(t, get(t, two, "many:2499"))
	require.Equal(t, "\x04", get(t, two, "axb:1"), "a star is a star")
	require.Equal(t, "not yours", get(t, neighbour, "a*b:1"))
}

func TestAnEndedCallerIsNotAFailureOfRedis(t *testing.T) {
	t.Parallel()
	c, n, log := replica(t, at(redistest.Addr(t)), space(), cache.Options{})
	ctx, cancel := contextEnded(t)
	defer cancel()
	value, ok := n.Get(ctx, "k")
	require.False(t, ok)
	require.Empty(t, value)
	n.Set(ctx, "k", []byte("v"))
	require.Zero(t, log.says("redis fails"))
	require.NoError(t, c.Check(t.Context()))
	require.NotZero(t, n.Stats().Redis.BytesWritten, "what is paid for is kept")
}
