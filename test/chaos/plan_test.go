package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/chaos"
)

func menu() chaos.Menu {
	names := []string{"a", "b", "c"}
	return chaos.Menu{
		{Weight: 3, Fault: chaos.Fault{Kind: chaos.Kill}, Targets: names, Least: time.Second, Most: 12 * time.Second},
		{Weight: 1, Fault: chaos.Fault{Kind: chaos.Loss, Percent: 30}, Targets: names, Least: time.Second, Most: time.Second},
		{Weight: 0, Fault: chaos.Fault{Kind: chaos.OOM}, Targets: names, Least: time.Second, Most: time.Second},
		{Weight: 1, Fault: chaos.Fault{Kind: chaos.Partition, Away: []string{"b", "c"}}, Targets: []string{"a"}, Least: time.Second, Most: 3 * time.Second},
	}
}

func TestPlanIsThatOfItsSeed(t *testing.T) {
	t.Parallel()
	one, err := chaos.NewPlan(7, menu(), 5*time.Second, 10*time.Minute)
	require.NoError(t, err)
	two, err := chaos.NewPlan(7, menu(), 5*time.Second, 10*time.Minute)
	require.NoError(t, err)
	require.Equal(t, one, two)
	three, err := chaos.NewPlan(8, menu(), 5*time.Second, 10*time.Minute)
	require.NoError(t, err)
	require.NotEqual(t, one.Faults, three.Faults)
}

func TestPlanKeepsItsBounds(t *testing.T) {
	t.Parallel()
	const length = 10 * time.Minute
	plan, err := chaos.NewPlan(1, menu(), 5*time.Second, length)
	require.NoError(t, err)
	require.Greater(t, len(plan.Faults), 100)
	kinds, busy := map[chaos.Kind]int{}, map[string]chaos.Span{}
	for _, p := range plan.Faults {
		kinds[p.Fault.Kind]++
		require.Zero(t, time.Duration(p.At)%(5*time.Second))
		require.LessOrEqual(t, time.Duration(p.At+p.Fault.For), length, "nothing lasts longer than the plan")
		for _, name := range append([]string{p.Fault.Target}, p.Fault.Away...) {
			require.LessOrEqual(t, busy[name], p.At, "%s has one at a time", name)
			busy[name] = p.At + p.Fault.For
		}
	}
	require.Greater(t, kinds[chaos.Kill], kinds[chaos.Loss])
	require.Positive(t, kinds[chaos.Partition])
	require.Zero(t, kinds[chaos.OOM])
}

func TestMenuHasToHoldSomething(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]chaos.Menu{
		"nothing":        nil,
		"no weight":      {{Targets: []string{"a"}, Least: 1, Most: 1}},
		"no target":      {{Weight: 1, Least: 1, Most: 1}},
		"no time":        {{Weight: 1, Targets: []string{"a"}}},
		"less than none": {{Weight: 1, Targets: []string{"a"}, Least: 2, Most: 1}},
	} {
		_, err := chaos.NewPlan(1, m, time.Second, time.Minute)
		require.Error(t, err, name)
	}
}

func TestLogIsReplayed(t *testing.T) {
	t.Parallel()
	plan, err := chaos.NewPlan(42, menu(), 5*time.Second, time.Minute)
	require.NoError(t, err)
	var log bytes.Buffer
	ended, end := context.WithCancel(t.Context())
	end()
	r := chaos.Runner{Run: new(recorder).run, Log: &log}
	lines, err := r.Carry(ended, plan)
	require.NoError(t, err)
	require.Len(t, lines, len(plan.Faults), "nothing was made, all was planned")
	again, err := chaos.Replay(&log)
	require.NoError(t, err)
	require.Equal(t, plan, again)
}

func TestReplayRefusesWhatIsNoLog(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", `{"event":"healed"}`, `{"event":"planned","at":"soon"}`} {
		_, err := chaos.Replay(bytes.NewBufferString(text))
		require.Error(t, err, text)
	}
}

func TestFaultSaysWhatItIs(t *testing.T) {
	t.Parallel()
	f := chaos.Fault{Kind: chaos.Partition, Target: "a", Mates: []string{"b"}, Away: []string{"c"}, For: chaos.Span(1500 * time.Millisecond)}
	require.Equal(t, "partition a with b from c for 1.5s", f.String())
	text, err := json.Marshal(f)
	require.NoError(t, err)
	require.JSONEq(t, `{"kind":"partition","target":"a","mates":["b"],"away":["c"],"for":"1.5s"}`, string(text))
}
