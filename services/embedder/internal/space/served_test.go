package space_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/space"
)

// served checks what tei/m says that it has, with vectors of length 3.
func served(t *testing.T, pins *space.Pins, by, says string) error {
	t.Helper()
	return pins.CheckServed(t.Context(), "tei/m", "", by, 3, says)
}

// TestTheFirstModelIsPinnedForAll replicas, of each server apart, whether its length is known or not.
func TestTheFirstModelIsPinnedForAll(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]int{"length unknown": 0, "length known": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bustest.Start(t)
			pins, other := ready(t, s, "one"), ready(t, s, "two")
			if first > 0 {
				require.NoError(t, pins.Check(t.Context(), "tei/m", "", "tei/m", first))
			}
			begun := pins.Epoch("tei/m", "")
			require.Empty(t, begun.String())
			require.NoError(t, served(t, pins, "tei/m", "bge float16"))
			epoch := pins.Epoch("tei/m", "")
			require.NotEmpty(t, epoch.String(), "it is known when it was checked")
			require.True(t, begun.Lasts(epoch))

			require.NoError(t, served(t, pins, "tei/m", "bge float16"))
			require.NoError(t, served(t, pins, "house/m", "bge float32"), "another server may say it otherwise")
			require.Equal(t, epoch, pins.Epoch("tei/m", ""), "it is the same model")
			for _, p := range []*space.Pins{pins, other} {
				err := served(t, p, "tei/m", "e5 float16")
				require.Equal(t, events.CodeFailedPrecondition, code(err))
				require.ErrorContains(t, err, `"e5 float16"`)
				require.ErrorContains(t, err, `"bge float16"`)
			}
			require.NoError(t, pins.Check(t.Context(), "tei/m", "", "tei/m", 3))
			until(t, pins, "tei/m", "", 3)
			require.Equal(t, events.CodeFailedPrecondition, code(pins.Check(t.Context(), "tei/m", "", "tei/m", 4)))
			require.Equal(t, epoch.String(), pins.Epoch("tei/m", "").String())

			reader := s.Connect(t, "reader")
			require.Eventually(t, func() bool {
				for _, e := range told(t, reader) {
					if e.SeenModel == "e5 float16" && e.PinnedModel == "bge float16" && e.Seen == 3 {
						return true
					}
				}
				return false
			}, patience, 20*time.Millisecond)
		})
	}
}

// TestAnotherEpoch begins when the operator agrees, and not with what is said of other models.
func TestAnotherEpoch(t *testing.T) {
	t.Parallel()
	for _, dimensions := range []int{0, 3} {
		t.Run(fmt.Sprintf("accept %d", dimensions), func(t *testing.T) {
			t.Parallel()
			s := bustest.Start(t)
			pins := ready(t, s, "one")
			unknown := pins.Epoch("tei/m", "")
			require.NoError(t, served(t, pins, "tei/m", "bge"))
			before := pins.Epoch("tei/m", "")
			require.NoError(t, pins.CheckServed(t.Context(), "tei/other", "", "tei/other", 3, "e5"))
			require.True(t, before.Lasts(pins.Epoch("tei/m", "")))

			_, err := spaces.Accept(t.Context(), s.Connect(t, "operator"), "tei/m", dimensions)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return served(t, pins, "tei/m", "e5") == nil }, patience, 20*time.Millisecond)
			now := pins.Epoch("tei/m", "")
			require.False(t, before.Lasts(now))
			require.False(t, unknown.Lasts(now), "one has come and gone meanwhile")
			require.NotEqual(t, before.String(), now.String())
			require.Equal(t, events.CodeFailedPrecondition, code(served(t, pins, "tei/m", "bge")))
		})
	}
}

// TestReplicasAgreeOnTheModel: one of those that are said at the same time decides for all.
func TestReplicasAgreeOnTheModel(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for i := range 4 {
		pins := ready(t, s, fmt.Sprint("replica", i))
		all.Go(func() {
			err := pins.CheckServed(t.Context(), "tei/m", "", "tei/m", 3, fmt.Sprint("model ", i))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				good++
			} else if code(err) != events.CodeFailedPrecondition {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Equal(t, 1, good)
}

// TestWhatServesABrokenPin: it is not known what was pinned, so nothing passes.
func TestWhatServesABrokenPin(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	_, err := bucket(t, s).Put(t.Context(), spaces.Key("tei/m", ""), []byte("{"))
	require.NoError(t, err)
	pins := ready(t, s, "one")
	err = served(t, pins, "tei/m", "bge")
	require.Equal(t, events.CodeFailedPrecondition, code(err))
	require.ErrorContains(t, err, "cannot be read")
}

// TestNotEverythingThatIsSaidIsPinned: there is room for so many models.
func TestNotEverythingThatIsSaidIsPinned(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	pins, stop := run(t, s, "one")
	defer stop()
	waitReady(t, pins)
	pins.SetMost(1)
	require.NoError(t, pins.Check(t.Context(), "a/m", "", "a/m", 3))
	until(t, pins, "a/m", "", 3)
	require.NoError(t, pins.CheckServed(t.Context(), "a/m", "", "a/m", 3, "bge"))
	require.Equal(t, events.CodeFailedPrecondition, code(served(t, pins, "tei/m", "bge")))
}
