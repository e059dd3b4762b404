package tracker_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
	tracker "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldtracker"
)

func TestStateIsBounded(t *testing.T) {
	t.Parallel()
	state, _ := tracker.Start(repository, nil, epoch())
	for number := 1; number <= 500; number++ {
		r := run(number, 1, forge.Failure)
		state, _ = state.Observe(r, rules(), r.CompletedAt)
		require.Equal(t, number, state.ConsecutiveFailures(), "what is forgotten still counts")
	}
	require.Len(t, state.Runs, 64)
	data, err := state.Encode()
	require.NoError(t, err)
	require.Less(t, len(data), 32<<10)
	require.Equal(t, state, stored(t, state))
	require.Equal(t, int64(1001), state.Degraded.FirstRunID)

	require.True(t, state.Seen(run(1, 2, forge.Success)), "older than all that is remembered")
	same, out := state.Observe(run(1, 2, forge.Success), rules(), epoch())
	require.Empty(t, out)
	require.Equal(t, state, same)

	for attempt := 1; attempt <= 200; attempt++ {
		state, _ = state.Observe(run(500, attempt, forge.Failure), rules(), epoch())
	}
	require.Len(t, state.Runs[63].Attempts, 64)
	require.True(t, state.Seen(run(500, 3, forge.Failure)))
	require.Equal(t, 500, state.ConsecutiveFailures())

	state, out = state.Observe(run(501, 1, forge.Success), rules(), epoch())
	require.Len(t, out, 2)
	require.Zero(t, state.ConsecutiveFailures())
	for number := 502; number <= 600; number++ {
		state, _ = state.Observe(run(number, 1, forge.Cancelled), rules(), epoch())
	}
	require.Zero(t, state.ConsecutiveFailures(), "a success that is forgotten still ends the streak")
	state, _ = state.Observe(run(601, 1, forge.Failure), rules(), epoch())
	require.Equal(t, 1, state.ConsecutiveFailures())
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good, _ := watch(t, rules(), run(1, 1, forge.Failure), run(2, 1, forge.Failure))
	data, err := good.Encode()
	require.NoError(t, err)
	_, err = tracker.Decode(data)
	require.NoError(t, err)

	for name, bad := range map[string]string{
		"nothing":        ``,
		"no JSON":        `{"version":1`,
		"wrong type":     `{"version":1,"runs":"many"}`,
		"no version":     `{}`,
		"newer":          `{"version":2}`,
		"carried":        `{"version":1,"carried":3}`,
		"negative":       `{"version":1,"carried":-1}`,
		"no attempts":    `{"version":1,"runs":[{"id":1,"number":1}]}`,
		"wrong order":    `{"version":1,"runs":[{"id":2,"number":2,"attempts":[{"n":1,"r":"failed"}]},{"id":1,"number":1,"attempts":[{"n":1,"r":"failed"}]}]}`,
		"attempts mixed": `{"version":1,"runs":[{"id":2,"number":2,"attempts":[{"n":2,"r":"failed"},{"n":1,"r":"failed"}]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tracker.Decode([]byte(bad))
			require.Error(t, err)
		})
	}
}
