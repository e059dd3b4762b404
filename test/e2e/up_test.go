package e2e_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// upStack is `mlsdmctl up`, for somebody who sits in front of it.
type upStack struct {
	*process.Process

	url  string // of the NATS server, as the banner says
	data string
}

// startUp starts one on free ports and waits for its banner.
func startUp(t *testing.T, env map[string]string) upStack {
	t.Helper()
	data := t.TempDir()
	programs.Path(t, "mlsdmctl") // to build it takes time that is not its own
	began := time.Now()
	p := start(t, "mlsdmctl", env, "up", "--addr", "127.0.0.1:0", "--data", data)
	url := p.Out.Await(t, `NATS +(nats://127\.0\.0\.1:\d+) `)[1]
	t.Logf("the banner was there after %s", time.Since(began).Round(time.Millisecond))
	return upStack{Process: p, url: url, data: data}
}

// stop presses Ctrl-C.
func (s upStack) stop(t *testing.T) {
	t.Helper()
	began := time.Now()
	s.Interrupt()
	require.Zero(t, s.Exit(), "%s", s.Errs)
	t.Logf("it stopped within %s", time.Since(began).Round(time.Millisecond))
	require.Empty(t, s.Errs.String(), "a clean stop has nothing to warn of")
}

// mlsdmctl runs one command to its end, and returns what it printed.
func (s upStack) mlsdmctl(t *testing.T, status int, args ...string) (out, errs string) {
	t.Helper()
	return mlsdmctl(t, "", map[string]string{"NATS_URL": s.url}, status, args...)
}

// mlsdmctl runs one command to its end with an input, and returns what it printed.
func mlsdmctl(t *testing.T, input string, env map[string]string, status int, args ...string) (out, errs string) {
	t.Helper()
	p := process.Start(t, programs.Path(t, "mlsdmctl"), input, env, args...)
	require.Equal(t, status, p.Exit(), "mlsdmctl %v: %s%s", args, p.Out, p.Errs)
	return p.Out.String(), p.Errs.String()
}

// TestUpSaysWhatIsInTheWay starts a second one where the first one is.
func TestUpSaysWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	first := startUp(t, nil)
	_, errs := first.mlsdmctl(t, 1, "up", "--addr", "127.0.0.1:0", "--data", first.data)
	require.Contains(t, errs, "the data folder "+first.data+" is in use by another process")
	require.Contains(t, errs, "--data", "what to do about it")
	addr := first.url[len("nats://"):]
	_, errs = first.mlsdmctl(t, 1, "up", "--addr", addr, "--data", t.TempDir())
	require.Contains(t, errs, "port "+addr[len("127.0.0.1:"):]+" ")
	require.Contains(t, errs, "--addr", "what to do about it")
	_, errs = first.mlsdmctl(t, 1, "up", "--addr", "0.0.0.0:0", "--data", t.TempDir())
	require.Contains(t, errs, "not a loopback address")
	_, errs = first.mlsdmctl(t, 2, "up", "--adr", addr)
	require.Contains(t, errs, "--adr")
	first.mlsdmctl(t, 0, "doctor")
	first.stop(t)

	// What it kept is there for the next one.
	again := start(t, "mlsdmctl", nil, "up", "--addr", addr, "--data", first.data)
	again.Out.Await(t, `Ctrl-C stops everything`)
	again.Interrupt()
	require.Zero(t, again.Exit())
}

// TestDemoInterrupted presses Ctrl-C in the middle of the story.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	for scene, line := range map[string]string{
		"the start":                    `The demo tells a small story now`,
		"a webhook is waited for":      `answered 503 on purpose`,
		"the dispatcher is just dying": `the dispatcher is killed`,
	} {
		t.Run(scene, func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir()
			p := start(t, "mlsdmctl", map[string]string{"TMPDIR": tmp}, "up", "--demo", "--addr", "127.0.0.1:0")
			p.Out.Await(t, line)
			began := time.Now()
			p.Interrupt()
			require.Zero(t, p.Exit(), "%s", p.Errs)
			require.Less(t, time.Since(began), 10*time.Second, "it does not wait for the end of the story")
			requireEmptyDir(t, tmp)
		})
	}
}

// TestDemoToTheEnd lets the story be told.
func TestDemoToTheEnd(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	env := map[string]string{"TMPDIR": tmp}
	maps.Copy(env, map[string]string{"GITHUB_REPOSITORY": "somebody/else", "WEBHOOK_URL": "https://example.com/"}) // not touched
	p := start(t, "mlsdmctl", env, "up", "--demo", "--addr", "127.0.0.1:0")
	p.Out.Await(t, `that was the story`)
	for _, line := range []string{
		`event +ci\.degraded +example/memory-engine`, `event +system\.recovery_triggered`, `event +ci\.recovered`, `event +moral_filter\.reject`,
		`webhook +ci\.degraded +signature verified`, `webhook +system\.recovery_triggered +signature verified`,
		`delivered at try \d under the same webhook-id`, `answer +echo: `,
	} {
		p.Out.Await(t, line)
	}
	p.Interrupt()
	require.Zero(t, p.Exit())
	require.NotContains(t, p.Out.String(), "refused")
	require.NotContains(t, p.Out.String(), "somebody/else")
	requireEmptyDir(t, tmp)
}
