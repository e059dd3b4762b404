package lease_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/lease"
)

const short = 300 * time.Millisecond

func TestDeadIsSucceeded(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	b, network := connect(t, s, "one")
	start(t, b, short, r.lead("one"))
	divided(t, r, 8)
	start(t, s.Connect(t, "two"), short, r.lead("two"))
	start(t, s.Connect(t, "three"), short, r.lead("three"))
	divided(t, r, 2, 3, 3)
	network.set(true, false)
	eventually(t, "the others lead all", func() bool {
		shares := r.shares()
		return shares["one"] == 0 && shares["two"] == 4 && shares["three"] == 4
	})
	network.set(false, false)
	divided(t, r, 2, 3, 3)
}

func TestPausedLeaderSeesThatItIsLate(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	b, network := connect(t, s, "one")
	resume := make(chan struct{})
	one := start(t, b, short, func(_ context.Context, l lease.Lease) {
		r.gained("one", &l)
		<-resume // looks at nothing
		r.ended("one", l.Shard)
	})
	divided(t, r, 8)
	network.set(false, true)
	first := r.last(0)
	start(t, s.Connect(t, "two"), short, r.lead("two"))
	// The recorder sees that no lease is gained before the one before it is over.
	eventually(t, "the other one leads all", func() bool { return r.shares()["two"] == 8 })
	require.False(t, first.Valid())
	require.Less(t, first.Fence, r.last(0).Fence)
	network.set(false, false)
	eventually(t, "it is back", func() bool { return one.leases.Replicas() == 2 })
	require.Equal(t, 8, r.shares()["one"], "the work has not returned, so none of it is begun again")
	require.False(t, first.Valid(), "what is over remains over")
	close(resume)
	eventually(t, "the old work has ended", func() bool { return r.shares()["one"] <= 4 })
}

func TestServerRestarts(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	for _, name := range []string{"one", "two", "three"} {
		start(t, s.Connect(t, name), short, r.lead(name))
	}
	divided(t, r, 2, 3, 3)
	for range 3 {
		fences := make([]uint64, shards)
		for shard := range shards {
			fences[shard] = r.last(shard).Fence
		}
		s.Restart(t)
		divided(t, r, 2, 3, 3)
		eventually(t, "all are led", func() bool {
			for shard := range shards {
				if l := r.last(shard); !l.Valid() || l.Fence < fences[shard] {
					return false
				}
			}
			return true
		})
	}
}

func TestClosedForGood(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	b := s.Connect(t, "one")
	one := start(t, b, short, r.lead("one"))
	divided(t, r, 8)
	require.NoError(t, b.Close(t.Context()))
	require.Error(t, one.wait(t))
	require.Empty(t, r.shares())
}

// An answer may come too late, or not at all: what was written is then ours all the same.
func TestOwnWriteIsKnownAgain(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	one := start(t, s.Connect(t, "one"), 3*time.Second, r.lead("one"))
	divided(t, r, 8)
	l := r.last(5)
	_, err := one.kv.Put(t.Context(), "shard.5", fmt.Appendf(nil, `{"holder":%q}`, one.leases.Name()))
	require.NoError(t, err)
	until := l.Until()
	eventually(t, "it is renewed, or lost on a slow machine and gained again", func() bool {
		last := r.last(5)
		return last.Valid() && last.Until().After(until.Add(2*time.Second))
	})
}

func TestOvertakenKnowsAtOnce(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	one := start(t, s.Connect(t, "one"), 10*time.Minute, r.lead("one"))
	divided(t, r, 8)
	l := r.last(5)
	require.NoError(t, one.kv.Delete(t.Context(), "shard.5", 0))
	eventually(t, "somebody took the key away", func() bool { return !l.Valid() })
	require.Zero(t, l.Until())
}

func TestWhatIsNoLease(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	b := s.Connect(t, "one")
	one := start(t, b, short, func(context.Context, lease.Lease) {})
	one.stop(t)
	for key, value := range map[string]string{
		"shard.3": "garbage", "shard.99": "{}", "shard.03": "{}", "shard.-1": "{}", "shard.x": "{}", "shard": "{}", "replica.x": "{}",
		"replica.99999999999999999999": "{}", "other.key": "{}", "replica.0": `{"holder":"dead"}`, "shard.4": `{"holder":"dead"}`,
		"shard.5": "",
	} {
		_, err := one.kv.Put(t.Context(), key, []byte(value))
		require.NoError(t, err)
	}
	two := start(t, b, short, r.lead("two"))
	divided(t, r, 8)
	require.Equal(t, 1, two.leases.Replicas())
}

// Networks are cut and stalled, replicas stop and start, the server restarts: no two leases of a shard are ever valid at one time,
// and in the end all shards are led in even shares.
func TestChaos(t *testing.T) {
	t.Parallel()
	s, r := bustest.Start(t), record(t)
	const n = 3
	var networks [n]*proxy
	var replicas [n]*replica
	begin := func(i int) {
		b, network := connect(t, s, fmt.Sprint("chaos", i))
		networks[i], replicas[i] = network, start(t, b, short, r.lead(fmt.Sprint("chaos", i)))
	}
	for i := range n {
		begin(i)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		i := random.IntN(n)
		switch random.IntN(8) {
		case 0, 1:
			networks[i].set(true, false)
		case 2, 3:
			networks[i].set(false, true)
		case 4, 5:
			networks[i].set(false, false)
		case 6:
			networks[i].set(false, false)
			replicas[i].stop(t)
			begin(i)
		default:
			s.Restart(t)
		}
		pause := time.NewTimer(time.Duration(random.IntN(int(short))))
		<-pause.C
	}
	for i := range n {
		networks[i].set(false, false)
	}
	divided(t, r, 2, 3, 3)
}
