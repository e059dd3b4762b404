package tracker_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
	tracker "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldtracker"
)

// FuzzObserve feeds any attempts in any order, with repeats and through the stored form, and compares the streak with
// one that is counted in the plainest way. Each byte of the input is an attempt: 5 bits of run, 1 of attempt, 2 of
// conclusion.
func FuzzObserve(f *testing.F) {
	f.Add([]byte{0x00, 0x08, 0x10})
	f.Add([]byte{0x03, 0x07, 0x03, 0x0b, 0x0f, 0x10, 0x14})
	f.Add([]byte("three failures in a row, then a rerun"))
	f.Fuzz(func(t *testing.T, input []byte) {
		requireSound(t, input)
	})
}

// TestAnyOrder is the fuzz target on many inputs that are the same at every run.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11))
	for range 200 {
		input := make([]byte, random.IntN(80))
		for i := range input {
			input[i] = byte(random.UintN(256))
		}
		requireSound(t, input)
	}
}

func requireSound(t *testing.T, input []byte) {
	t.Helper()
	conclusions := []forge.Conclusion{forge.Failure, forge.Success, forge.TimedOut, forge.Cancelled}
	state, _ := tracker.Start(repository, nil, epoch())
	type key struct {
		number, attempt int
	}
	seen := map[key]forge.Run{}
	runEvents, degraded := 0, false
	ids := map[string]bool{}
	for i, b := range input {
		r := run(int(b>>3)+1, int(b>>2&1)+1, conclusions[b&3])
		k := key{r.Number, r.Attempt}
		_, known := seen[k]
		require.Equal(t, known, state.Seen(r))
		if !known {
			seen[k] = r
		}
		var out []tracker.Event
		state, out = state.Observe(r, rules(), r.CompletedAt)
		if known {
			require.Empty(t, out, "an attempt that was counted is counted again")
		}
		for _, ev := range out {
			require.NoError(t, ev.Payload.Validate())
			if ev.Payload.EventType() != events.TypeCIFlaky {
				require.False(t, ids[ev.ID], "%s comes twice", ev.Payload.EventType())
			}
			ids[ev.ID] = true
			switch ev.Payload.EventType() {
			case events.TypeCIRunFailed, events.TypeCIRunSucceeded:
				runEvents++
			case events.TypeCIDegraded:
				require.False(t, degraded, "degraded twice")
				degraded = true
			case events.TypeCIRecovered:
				require.True(t, degraded, "recovered from nothing")
				degraded = false
			}
		}
		if i%16 == 0 {
			state = stored(t, state)
		}
		require.Equal(t, degraded, state.Degraded != nil)
		want := plainStreak(inOrder(seen))
		require.Equal(t, want, state.ConsecutiveFailures())
		require.False(t, !degraded && want >= 3, "a streak of %d is not degraded", want)
		require.False(t, degraded && want == 0 && len(out) > 0, "green is degraded")
	}
	decisive := 0
	for _, r := range seen {
		if r.Conclusion.Failed() || r.Conclusion.Passed() {
			decisive++
		}
	}
	require.Equal(t, decisive, runEvents, "each attempt that failed or passed has its event")
}

// inOrder returns the values in order.
func inOrder[K comparable](seen map[K]forge.Run) []forge.Run {
	runs := make([]forge.Run, 0, len(seen))
	for _, r := range seen {
		runs = append(runs, r)
	}
	slices.SortFunc(runs, tracker.Compare)
	return runs
}

// plainStreak counts the failed runs at the end of ordered attempts, of which the last decisive one counts for its run.
func plainStreak(attempts []forge.Run) int {
	last := map[int]bool{} // run number → failed
	var order []int
	for _, r := range attempts {
		if !r.Conclusion.Failed() && !r.Conclusion.Passed() {
			continue
		}
		if _, ok := last[r.Number]; !ok {
			order = append(order, r.Number)
		}
		last[r.Number] = r.Conclusion.Failed()
	}
	streak := 0
	for _, number := range slices.Backward(order) {
		if !last[number] {
			break
		}
		streak++
	}
	return streak
}

// stored returns state as it comes back from where it is kept.
func stored(t *testing.T, state tracker.State) tracker.State {
	t.Helper()
	data, err := state.Encode()
	require.NoError(t, err)
	back, err := tracker.Decode(data)
	require.NoError(t, err)
	return back
}
