package chaos_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/chaos"
)

// recorder takes commands down in the place of running them. It says that every container runs on two networks.
type recorder struct {
	mu       sync.Mutex
	commands []string
	fails    string        // commands that hold this fail
	ran      chan struct{} // is told of each, if it is there
}

func (r *recorder) run(_ context.Context, command chaos.Command) (string, error) {
	text := strings.Join(command, " ")
	if name, ok := strings.CutPrefix(text, "docker container inspect "); ok {
		return `[{"State":{"Running":` + map[bool]string{true: "false", false: "true"}[name == "dead"] + `,"Pid":4242},"HostConfig":{"Memory":0},"NetworkSettings":{"SandboxKey":"/ns/` + name +
			`","Networks":{"one":{"IPAddress":"10.0.0.` + map[string]string{"a": "1", "b": "2", "c": "3"}[name] + `","Aliases":["` + name + `","web"]}}}}]`, nil
	}
	if strings.Contains(text, "ip -o link") {
		return " eth1\n", nil
	}
	r.mu.Lock()
	r.commands = append(r.commands, text)
	r.mu.Unlock()
	if r.ran != nil {
		r.ran <- struct{}{}
	}
	if r.fails != "" && strings.Contains(text, r.fails) {
		return "", errors.New("no")
	}
	return "", nil
}

func one(f chaos.Fault) chaos.Plan { return chaos.Plan{Faults: []chaos.Planned{{Fault: f}}} }

func TestFaultsAreMadeAndHealed(t *testing.T) {
	t.Parallel()
	const rest = " -m comment --comment chaos"
	for name, test := range map[string]struct {
		fault chaos.Fault
		want  []string
	}{
		"kill":    {chaos.Fault{Kind: chaos.Kill, Target: "a"}, []string{"docker kill --signal KILL a", "docker start a"}},
		"crash":   {chaos.Fault{Kind: chaos.Crash, Target: "a"}, []string{"kill -KILL 4242", "docker start a"}},
		"stop":    {chaos.Fault{Kind: chaos.Stop, Target: "a", Grace: chaos.Span(3 * time.Second)}, []string{"docker stop --time 3 a", "docker start a"}},
		"restart": {chaos.Fault{Kind: chaos.Restart, Target: "a"}, []string{"docker restart --time 10 a", "docker start a"}},
		"pause":   {chaos.Fault{Kind: chaos.Pause, Target: "a"}, []string{"docker pause a", "docker unpause a"}},
		"disconnect": {chaos.Fault{Kind: chaos.Disconnect, Target: "a", Network: "one"}, []string{
			"docker network disconnect --force one a", "docker network connect --alias web one a",
		}},
		"loss": {chaos.Fault{Kind: chaos.Loss, Target: "a", Percent: 20}, []string{
			"nsenter --net=/ns/a iptables -w -I INPUT ! -i lo -m statistic --mode random --probability 0.20 -j DROP" + rest,
			"nsenter --net=/ns/a iptables -w -I OUTPUT ! -o lo -m statistic --mode random --probability 0.20 -j DROP" + rest,
			"nsenter --net=/ns/a iptables -w -D INPUT ! -i lo -m statistic --mode random --probability 0.20 -j DROP" + rest,
			"nsenter --net=/ns/a iptables -w -D OUTPUT ! -o lo -m statistic --mode random --probability 0.20 -j DROP" + rest,
		}},
		"bandwidth": {chaos.Fault{Kind: chaos.Bandwidth, Target: "a", Rate: 1000}, []string{
			"nsenter --net=/ns/a tc qdisc replace dev eth1 root tbf rate 1000bps burst 32kb latency 2s", "nsenter --net=/ns/a tc qdisc del dev eth1 root",
		}},
		"partition": {chaos.Fault{Kind: chaos.Partition, Target: "a", Away: []string{"b"}}, []string{
			"nsenter --net=/ns/a iptables -w -I INPUT -s 10.0.0.2 -j DROP" + rest, "nsenter --net=/ns/a iptables -w -I OUTPUT -d 10.0.0.2 -j DROP" + rest,
			"nsenter --net=/ns/a iptables -w -D INPUT -s 10.0.0.2 -j DROP" + rest, "nsenter --net=/ns/a iptables -w -D OUTPUT -d 10.0.0.2 -j DROP" + rest,
		}},
		"stall": {chaos.Fault{Kind: chaos.Stall, Target: "a", Path: "/d"}, []string{"fsfreeze --freeze /d", "fsfreeze --unfreeze /d"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var did recorder
			r := chaos.Runner{Run: did.run, Log: new(bytes.Buffer)}
			lines, err := r.Carry(t.Context(), one(test.fault))
			require.NoError(t, err)
			require.Equal(t, test.want, did.commands)
			require.Equal(t, []string{chaos.EventPlanned, chaos.EventInjected, chaos.EventHealed}, []string{lines[0].Event, lines[1].Event, lines[2].Event})
		})
	}
}

func TestImpossibleFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]chaos.Fault{
		"no such kind":    {Kind: "flood", Target: "a"},
		"another network": {Kind: chaos.Disconnect, Target: "a", Network: "two"},
		"no limit":        {Kind: chaos.OOM, Target: "a"},
		"no such device":  {Kind: chaos.Slow, Target: "a", Path: "/there/is/no/such"},
		"it is dead":      {Kind: chaos.Loss, Target: "dead", Percent: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var did recorder
			r := chaos.Runner{Run: did.run, Log: new(bytes.Buffer)}
			lines, err := r.Carry(t.Context(), one(f))
			require.Error(t, err)
			require.Empty(t, did.commands)
			require.NotEmpty(t, lines[1].Error)
		})
	}
}

func TestWhatIsHalfMadeIsHealed(t *testing.T) {
	t.Parallel()
	did := recorder{fails: "-I OUTPUT"}
	r := chaos.Runner{Run: did.run, Log: new(bytes.Buffer)}
	_, err := r.Carry(t.Context(), one(chaos.Fault{Kind: chaos.Loss, Target: "a", Percent: 20}))
	require.Error(t, err)
	require.Len(t, did.commands, 4)
	require.Contains(t, did.commands[2], "-D INPUT")
}

func TestFaultsAreHealedWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	did := recorder{ran: make(chan struct{}, 10)}
	ctx, end := context.WithCancel(t.Context())
	go func() { <-did.ran; end() }()
	r := chaos.Runner{Run: did.run, Log: new(bytes.Buffer)}
	_, err := r.Carry(ctx, chaos.Plan{Faults: []chaos.Planned{
		{Fault: chaos.Fault{Kind: chaos.Pause, Target: "a", For: chaos.Span(time.Hour)}},
		{At: chaos.Span(time.Hour), Fault: chaos.Fault{Kind: chaos.Pause, Target: "b"}},
	}})
	require.NoError(t, err)
	require.Equal(t, []string{"docker pause a", "docker unpause a"}, did.commands)
}

// childSetting has this binary make a fault and die of it.
const childSetting = "MLSDM_TEST_CHAOS_CHILD"

func TestMain(m *testing.M) {
	folder := os.Getenv(childSetting)
	if folder == "" {
		m.Run()
		return
	}
	r := chaos.Runner{Run: chaos.Exec, Log: new(bytes.Buffer)}
	if _, err := r.Inject(context.Background(), chaos.Fault{Kind: chaos.Stall, Path: folder}); err != nil {
		panic(err)
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		panic(err)
	}
	panic(self.Kill()) // nothing is deferred, nothing is caught
}

func TestFaultsAreHealedWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "it's a disk")
	require.NoError(t, os.Mkdir(folder, 0o700))
	bin := t.TempDir()
	script := "#!/bin/sh\necho \"$@\" >> \"$2/did\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(bin, "fsfreeze"), []byte(script), 0o700))
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childSetting+"="+folder, "PATH="+bin+":"+os.Getenv("PATH"))
	require.ErrorContains(t, child.Run(), "killed")
	patience, again := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for {
		did, err := os.ReadFile(filepath.Join(folder, "did"))
		require.NoError(t, err)
		if string(did) == "--freeze "+folder+"\n--unfreeze "+folder+"\n" {
			return
		}
		select {
		case <-again.C:
		case <-patience:
			require.Fail(t, "it is not healed", "%s", did)
		}
	}
}
