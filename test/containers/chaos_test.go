//go:build containers

package containers_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/chaos"
)

const (
	// lengthSetting is the environment variable that says how long faults go on: a duration, or full, which is ten minutes.
	lengthSetting = "MLSDM_TEST_CHAOS"
	// seedSetting is the seed of the plan; another each time without it.
	seedSetting = "MLSDM_TEST_CHAOS_SEED"
	// reportSetting is the file that a report is written to, if there is to be one.
	reportSetting = "MLSDM_TEST_CHAOS_REPORT"
)

// TestChaos has something go wrong every five seconds while all kinds of work come in. What was acked is done; requests have one result;
// and no secret is in any log.
func TestChaos(t *testing.T) {
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM) // faults are healed before the test ends
	defer stop()
	length, seed := 10*time.Minute, rand.Uint64()
	if text := cmp.Or(os.Getenv(lengthSetting), "1m"); text != "full" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	if text := os.Getenv(seedSetting); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("the seed is %d", seed)
	s := startTrio(t)
	l := newLedger()
	s.receive(t, l)
	known, err := os.ReadFile(filepath.Join(s.installation, "secretd.env"))
	require.NoError(t, err)
	_, secretdKey, _ := strings.Cut(strings.TrimSpace(string(known)), "=")
	working, end := context.WithCancel(t.Context())
	defer end()
	wait := s.traffic(working, t, l, secretdKey)

	plan, err := chaos.NewPlan(seed, s.menu(), 5*time.Second, length)
	require.NoError(t, err)
	file, err := os.Create(filepath.Join(t.ArtifactDir(), "chaos.jsonl"))
	require.NoError(t, err)
	defer file.Close()
	run := chaos.Runner{Run: chaos.Exec, Log: file}
	lines, err := run.Carry(ctx, plan)
	t.Logf("%d faults; what did not go as planned: %v", len(plan.Faults), err)
	require.NoError(t, ctx.Err())

	healed := time.Now()
	c := s.client(t, "client", s.ports)
	until(t, func() bool {
		try, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, embeds := c.Embed(try, events.EmbeddingsRequest{Model: "local/hash-384", Input: events.TextInput{"hello"}})
		_, generates := c.Generate(try, events.ChatRequest{Model: "local/echo", Prompt: "hello"})
		_, publishes := c.PublishData(try, "custom.green", []byte(`{}`))
		return embeds == nil && generates == nil && publishes == nil
	}, "it is green again")
	green := time.Since(healed)
	end()
	wait()

	js := s.admin(t, s.ports)
	var lost, twice int
	arrived := time.Now()
	for gone := map[string]bool(nil); ; gone = dead(t, js) {
		if lost, twice = l.lost(gone); lost == 0 || time.Since(arrived) > patience {
			break
		}
		<-time.After(time.Second)
	}
	drained := time.Since(arrived)
	var missing, several int
	for answered := time.Now(); ; <-time.After(time.Second) {
		all := results(t, js)
		missing, several = 0, 0
		for _, id := range l.durables {
			switch n := all[id]; {
			case n == 0:
				missing++
			case n > 1:
				several++
			}
		}
		if missing == 0 || time.Since(answered) > patience {
			break
		}
	}
	text := s.summary(l, seed, length, lines) + fmt.Sprintf("\n| | |\n|---|---|\n| lost deliveries | %d |\n| deliveries taken twice | %d |\n| durable requests without a result | %d |\n"+
		"| durable requests with several results | %d |\n| green again after the last fault | %s |\n| all delivered after the end of traffic | %s |\n",
		lost, twice, missing, several, green.Round(100*time.Millisecond), drained.Round(100*time.Millisecond))
	t.Log("\n" + text)
	if file := os.Getenv(reportSetting); file != "" {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	require.Zero(t, lost, "every acked event reaches every endpoint, or is in dead letters")
	require.Zero(t, missing, "every durable request has a result")
	require.Zero(t, several, "no durable request has two results")
	require.Less(t, green, 30*time.Second)
	require.Zero(t, l.refused["secret that is another"])
	logs, err := s.compose(t.Context(), "logs", "--no-color")
	require.NoError(t, err)
	require.NotContains(t, logs, canary)
	require.NotRegexp(t, `SU[A-Z2-7]{56}`, logs, "no seed of a key")
}

// menu is what may go wrong.
func (s trio) menu() chaos.Menu {
	var servers, services, all []string
	for _, server := range s.servers {
		servers = append(servers, s.container(server))
	}
	for _, service := range []string{"ciwatch", "dispatcher", "embedder", "generator", "secretd", "redis"} {
		services = append(services, s.container(service))
	}
	all = slices.Concat(servers, services)
	const short, long = 2 * time.Second, 8 * time.Second
	some := func(weight int, f chaos.Fault, targets []string) chaos.Choice {
		return chaos.Choice{Weight: weight, Fault: f, Targets: targets, Least: short, Most: long}
	}
	apart := some(2, chaos.Fault{Kind: chaos.Partition}, servers)
	apart.With = func(f *chaos.Fault) {
		for _, server := range servers {
			if server != f.Target {
				f.Away = append(f.Away, server)
			}
		}
	}
	return chaos.Menu{
		some(3, chaos.Fault{Kind: chaos.Kill}, all), some(2, chaos.Fault{Kind: chaos.Crash}, all), some(2, chaos.Fault{Kind: chaos.Pause}, all),
		some(1, chaos.Fault{Kind: chaos.Restart, Grace: chaos.Span(5 * time.Second)}, all),
		some(1, chaos.Fault{Kind: chaos.Stop, Grace: chaos.Span(5 * time.Second)}, all),
		some(1, chaos.Fault{Kind: chaos.Disconnect, Network: s.project + "_default"}, services),
		some(2, chaos.Fault{Kind: chaos.Loss, Percent: 20}, all),
		some(2, chaos.Fault{Kind: chaos.Delay, Latency: chaos.Span(100 * time.Millisecond)}, all),
		some(1, chaos.Fault{Kind: chaos.Bandwidth, Rate: 64 << 10}, all),
		apart,
	}
}

// summary is the beginning of a report.
func (s trio) summary(l *ledger, seed uint64, length time.Duration, lines []chaos.Line) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var text strings.Builder
	fmt.Fprintf(&text, "# Chaos\n\nSeed %d, %s, three NATS servers. Again: `%s=%d make test-containers`.\n\n| fault | made | for |\n|---|---|---|\n", seed, length, seedSetting, seed)
	made, lasted := map[chaos.Kind]int{}, map[chaos.Kind]time.Duration{}
	for _, line := range lines {
		if line.Event == chaos.EventInjected && line.Error == "" {
			made[line.Fault.Kind]++
			lasted[line.Fault.Kind] += time.Duration(line.Fault.For)
		}
	}
	for _, kind := range slices.Sorted(func(yield func(chaos.Kind) bool) {
		for kind := range made {
			if !yield(kind) {
				return
			}
		}
	}) {
		fmt.Fprintf(&text, "| %s | %d | %s |\n", kind, made[kind], lasted[kind].Round(time.Second))
	}
	fmt.Fprintf(&text, "\nAcked: %d events to %d endpoints each, %d durable requests, %d secrets. Not acked: %v.\n", len(l.events), receivers, len(l.durables), l.secrets, l.refused)
	return text.String()
}
