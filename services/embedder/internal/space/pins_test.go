package space_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/space"
)

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

// run runs the pins of one replica, until the test ends or stop is called.
func run(t *testing.T, s *bustest.Server, name string) (running *space.Pins, stop func()) {
	t.Helper()
	pins := space.New(s.Connect(t, name), bustest.Logger(t), "/mlsdm/embedder")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- pins.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(patience):
			require.Fail(t, "it does not end")
		}
	})
	t.Cleanup(stop)
	return pins, stop
}

// ready runs the pins of one replica and waits for them.
func ready(t *testing.T, s *bustest.Server, name string) *space.Pins {
	t.Helper()
	pins, _ := run(t, s, name)
	waitReady(t, pins)
	return pins
}

func waitReady(t *testing.T, pins *space.Pins) {
	t.Helper()
	select {
	case <-pins.Ready():
	case <-time.After(patience):
		require.Fail(t, "it does not become ready")
	}
}

// bucket is the bucket as a human reaches it.
func bucket(t *testing.T, s *bustest.Server) *bus.KV {
	t.Helper()
	kv, err := s.Connect(t, "human").KV(t.Context(), events.BucketSpaces)
	require.NoError(t, err)
	return kv
}

// until waits until a replica knows a length.
func until(t *testing.T, pins *space.Pins, name, revision string, want int) {
	t.Helper()
	require.Eventually(t, func() bool { return pins.Dimensions(name, revision) == want }, patience, time.Millisecond, "%s@%s: %d", name, revision, want)
}

func code(err error) events.Code { return events.CodeOf(err) }

func TestTheFirstLengthIsPinnedForAll(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	one, two := ready(t, s, "one"), ready(t, s, "two")
	require.Zero(t, one.Dimensions("a/m", ""))
	require.NoError(t, one.Check(t.Context(), "a/m", "", "a/m", 384))
	until(t, one, "a/m", "", 384)
	require.NoError(t, one.Check(t.Context(), "a/m", "", "b/m", 384), "the same model elsewhere")

	// The other may not have heard of it yet; it asks.
	err := two.Check(t.Context(), "a/m", "", "b/m", 385)
	require.Equal(t, events.CodeFailedPrecondition, code(err))
	require.ErrorContains(t, err, "b/m answered vectors of length 385, and those of a/m have 384")
	require.ErrorContains(t, err, "mlsdmctl spaces accept a/m")
	until(t, two, "a/m", "", 384)

	require.NoError(t, two.Check(t.Context(), "a/m", "2", "a/m", 512), "another revision")
	require.ErrorContains(t, two.Check(t.Context(), "a/m", "2", "a/m", 384), "mlsdmctl spaces accept a/m@2")

	value, _, err := bucket(t, s).Get(t.Context(), "a/m.2")
	require.NoError(t, err)
	pin, err := spaces.Decode("a/m.2", value)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), pin.PinnedAt, time.Hour)
	pin.PinnedAt = time.Time{}
	require.Equal(t, spaces.Pin{Model: "a/m", Revision: "2", Dimensions: 512, Provider: "a/m"}, pin)

	// One that starts later knows it.
	three := ready(t, s, "three")
	require.Equal(t, 384, three.Dimensions("a/m", ""))
	require.Equal(t, 512, three.Dimensions("a/m", "2"))

	for _, dimensions := range []int{0, -1, 65537} {
		require.Equal(t, events.CodeInternal, code(one.Check(t.Context(), "a/other", "", "a/other", dimensions)))
	}
	require.Zero(t, one.Dimensions("a/other", ""))
	require.Equal(t, events.CodeInvalidArgument, code(one.Check(t.Context(), "a/\xff", "", "a/other", 3)))
}

// Many see different lengths at once: all of them agree on one.
func TestReplicasAgree(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	replicas := []*space.Pins{ready(t, s, "one"), ready(t, s, "two"), ready(t, s, "three")}
	for _, name := range []string{"a/m", "b/m", "c/m", "d/m", "e/m"} {
		var wg sync.WaitGroup
		errs := make([]error, 4*len(replicas))
		for i := range errs {
			wg.Go(func() { errs[i] = replicas[i/4].Check(t.Context(), name, "1", "a/m", 100+i) })
		}
		wg.Wait()
		agreed := 0
		for i, err := range errs {
			if err == nil {
				require.Zero(t, agreed, "two lengths were accepted")
				agreed = 100 + i
				continue
			}
			require.Equal(t, events.CodeFailedPrecondition, code(err), err)
		}
		require.NotZero(t, agreed)
		for _, pins := range replicas {
			until(t, pins, name, "1", agreed)
			require.NoError(t, pins.Check(t.Context(), name, "1", "a/m", agreed))
		}
	}
}

func TestOperatorsAreHeard(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	one, two := ready(t, s, "one"), ready(t, s, "two")
	require.NoError(t, one.Check(t.Context(), "a/m", "", "a/m", 3))
	until(t, one, "a/m", "", 3)
	until(t, two, "a/m", "", 3)
	operator := s.Connect(t, "operator")

	// The next answer is pinned.
	_, err := spaces.Forget(t.Context(), operator, "a/m")
	require.NoError(t, err)
	until(t, one, "a/m", "", 0)
	until(t, two, "a/m", "", 0)
	require.NoError(t, two.Check(t.Context(), "a/m", "", "a/m", 4))
	until(t, one, "a/m", "", 4)
	require.Equal(t, events.CodeFailedPrecondition, code(one.Check(t.Context(), "a/m", "", "a/m", 3)))

	// A length is said.
	_, err = spaces.Accept(t.Context(), operator, "a/m", 5)
	require.NoError(t, err)
	until(t, one, "a/m", "", 5)
	until(t, two, "a/m", "", 5)
	require.NoError(t, one.Check(t.Context(), "a/m", "", "a/m", 5))
	require.Equal(t, events.CodeFailedPrecondition, code(two.Check(t.Context(), "a/m", "", "a/m", 4)))
}

// What cannot be read is neither guessed nor written over.
func TestBrokenValues(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	kv := bucket(t, s)
	put := func(key, value string) {
		_, err := kv.Put(t.Context(), key, []byte(value))
		require.NoError(t, err)
	}
	put("a/m", "384")
	put("not.a.model", "x")
	pins := ready(t, s, "one")
	refused := func(name string) {
		err := pins.Check(t.Context(), name, "", name, 384)
		require.Equal(t, events.CodeFailedPrecondition, code(err))
		require.ErrorContains(t, err, "cannot be read; set it with `mlsdmctl spaces accept "+name+"`")
		require.Zero(t, pins.Dimensions(name, ""))
	}
	refused("a/m")
	value, _, err := kv.Get(t.Context(), "a/m")
	require.NoError(t, err)
	require.Equal(t, "384", string(value))

	put("b/m", `{"model":"b/m","dimensions":384}`)
	until(t, pins, "b/m", "", 384)
	put("b/m", `{"model":"c/m","dimensions":384}`)
	until(t, pins, "b/m", "", 0)
	refused("b/m")

	put("a/m", `{"model":"a/m","dimensions":384}`)
	until(t, pins, "a/m", "", 384)
	require.NoError(t, pins.Check(t.Context(), "a/m", "", "a/m", 384))
}

// Without the broker, what is in memory decides; what is not there is never guessed.
func TestWithoutTheBroker(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	pins := ready(t, s, "one")
	require.NoError(t, pins.Check(t.Context(), "a/m", "", "a/m", 3))
	until(t, pins, "a/m", "", 3)
	s.Shutdown()
	s.WaitForShutdown()
	require.NoError(t, pins.Check(t.Context(), "a/m", "", "a/m", 3))
	require.Equal(t, events.CodeFailedPrecondition, code(pins.Check(t.Context(), "a/m", "", "a/m", 4)))
	err := pins.Check(t.Context(), "b/m", "", "b/m", 3)
	require.Equal(t, events.CodeUnavailable, code(err))
	require.True(t, events.AsError(err).Retryable)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, events.CodeCanceled, code(pins.Check(canceled, "b/m", "", "b/m", 3)))

	// It goes on when the broker is back.
	s.Restart(t)
	require.Eventually(t, func() bool { return pins.Check(t.Context(), "b/m", "", "b/m", 3) == nil }, patience, 10*time.Millisecond)
	require.Equal(t, 3, pins.Dimensions("a/m", ""))
	kv := bucket(t, s)
	require.NoError(t, kv.Delete(t.Context(), "a/m", 0))
	until(t, pins, "a/m", "", 0)
	_, err = kv.Put(t.Context(), "a/m", []byte(`{"model":"a/m","dimensions":7}`))
	require.NoError(t, err)
	until(t, pins, "a/m", "", 7)
}

// The bucket was forgotten, or lost and made again.
func TestTheBucketIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	pins, stop := run(t, s, "one")
	require.Equal(t, events.CodeUnavailable, code(pins.Check(t.Context(), "a/m", "", "a/m", 3)))
	s.Provision(t)
	waitReady(t, pins)
	require.NoError(t, pins.Check(t.Context(), "a/m", "", "a/m", 3))
	require.NoError(t, pins.Check(t.Context(), "b/m", "", "b/m", 3))

	_, err := s.Conn(t).Request("$JS.API.STREAM.DELETE.KV_mlsdm_spaces", nil, patience)
	require.NoError(t, err)
	s.Provision(t)
	_, err = bucket(t, s).Put(t.Context(), "b/m", []byte(`{"model":"b/m","dimensions":4}`))
	require.NoError(t, err)
	until(t, pins, "b/m", "", 4)
	until(t, pins, "a/m", "", 0)
	require.NoError(t, pins.Check(t.Context(), "a/m", "", "a/m", 5))
	until(t, pins, "a/m", "", 5)
	stop()
	require.NoError(t, pins.Check(t.Context(), "a/m", "", "a/m", 5), "it is still known")
}

func TestNotEverythingIsPinned(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	pins := ready(t, s, "one")
	pins.SetMost(2)
	require.NoError(t, pins.Check(t.Context(), "a/1", "", "a/1", 3))
	require.NoError(t, pins.Check(t.Context(), "a/2", "", "a/2", 3))
	until(t, pins, "a/1", "", 3)
	until(t, pins, "a/2", "", 3)
	err := pins.Check(t.Context(), "a/3", "", "a/3", 3)
	require.Equal(t, events.CodeFailedPrecondition, code(err))
	require.ErrorContains(t, err, "2 models have a pinned length already")
	require.NoError(t, pins.Check(t.Context(), "a/2", "", "a/2", 3))
	_, err = spaces.Forget(t.Context(), s.Connect(t, "operator"), "a/1")
	require.NoError(t, err)
	until(t, pins, "a/1", "", 0)
	require.NoError(t, pins.Check(t.Context(), "a/3", "", "a/3", 3))
}

// TestCheckAllocates: the usual answer costs nothing.
func TestCheckAllocates(t *testing.T) { //nolint:paralleltest // counts allocations
	pins := ready(t, bustest.Start(t), "one")
	require.NoError(t, pins.Check(t.Context(), "a/m", "1", "a/m", 3))
	until(t, pins, "a/m", "1", 3)
	ctx := t.Context()
	require.InDelta(t, 0, testing.AllocsPerRun(1000, func() {
		if err := pins.Check(ctx, "a/m", "1", "a/m", 3); err != nil {
			t.Error(err)
		}
	}), 0.5)
}

func BenchmarkCheck(b *testing.B) {
	s := bustest.Start(b)
	pins := space.New(s.Connect(b, "one"), bustest.Logger(b), "/mlsdm/embedder")
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = pins.Run(ctx) })
	defer running.Wait()
	defer cancel()
	<-pins.Ready()
	const name = "openai/text-embedding-3-small"
	for pins.Dimensions(name, "1") == 0 {
		if err := pins.Check(ctx, name, "1", name, 1536); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := pins.Check(ctx, name, "1", name, 1536); err != nil {
			b.Fatal(err)
		}
	}
}

// On a closed bus, the embedder may do what pins need.
func TestClosedBus(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	pins, stop := run(t, s, events.ServiceEmbedder)
	waitReady(t, pins)
	require.NoError(t, pins.Check(t.Context(), "a/m", "1", "a/m", 3))
	until(t, pins, "a/m", "1", 3)
	admin := s.Connect(t, permissions.Admin)
	_, err := spaces.Accept(t.Context(), admin, "a/m", 4)
	require.NoError(t, err)
	until(t, pins, "a/m", "1", 4)
	require.Equal(t, events.CodeFailedPrecondition, code(pins.Check(t.Context(), "a/m", "1", "a/m", 3)))
	_, err = spaces.Forget(t.Context(), admin, "a/m")
	require.NoError(t, err)
	until(t, pins, "a/m", "1", 0)
	stop()
	require.Len(t, told(t, admin), 1)
}
