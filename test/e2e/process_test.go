package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what must happen; nothing takes it unless it fails.
const patience = 60 * time.Second

// process is a command that runs.
type process struct {
	t         *testing.T
	name      string
	cmd       *exec.Cmd
	out, errs *output
	ended     chan struct{}
	err       error // how it ended; valid once ended is closed
}

// start starts a command in an environment that holds env and nothing of the developer's. It is killed when the test ends.
func start(t *testing.T, name string, env map[string]string, args ...string) *process {
	t.Helper()
	return startIn(t, name, "", env, args...)
}

// startIn is start for a command that reads input.
func startIn(t *testing.T, name, input string, env map[string]string, args ...string) *process {
	t.Helper()
	return run(t, program(t, name), input, env, args...)
}

// run starts any program.
func run(t *testing.T, path, input string, env map[string]string, args ...string) *process {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...) // a cleanup may still stop it well
	p := &process{t: t, name: filepath.Base(path), cmd: cmd, out: newOutput(), errs: newOutput(), ended: make(chan struct{})}
	all := map[string]string{"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "TMPDIR": os.TempDir()} //nolint:usetesting // inherited
	maps.Copy(all, env)
	for key, value := range all {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = bytes.NewBufferString(input), p.out, p.errs, time.Second
	require.NoError(t, cmd.Start())
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended long ago
		<-p.ended
		if t.Failed() {
			t.Logf("%v said:\n%s%s", cmd.Args, p.out, p.errs)
		}
	})
	return p
}

// kill ends the process as kill -9 does, and waits until it is gone.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		require.ErrorIs(p.t, err, os.ErrProcessDone)
	}
	<-p.ended
	var exit *exec.ExitError
	require.ErrorAs(p.t, p.err, &exit, "%s was to run until it is killed: %s", p.name, p.errs)
	status, ok := exit.Sys().(syscall.WaitStatus)
	require.True(p.t, ok)
	require.Equal(p.t, syscall.SIGKILL, status.Signal(), "%s ended by itself: %v: %s", p.name, p.err, p.errs)
}

// interrupt is Ctrl-C.
func (p *process) interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(os.Interrupt))
}

// exit waits until the process has ended and returns its status.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		require.Fail(p.t, p.name+" does not end", "%s%s", p.out, p.errs)
	}
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		return exit.ExitCode()
	}
	require.NoError(p.t, p.err)
	return 0
}

// output is what a process has written.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced at every write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

// String returns all of it.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until something matches the pattern, and returns the match and its groups.
func (o *output) await(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(patience)
	for {
		o.mu.Lock()
		found, changed := re.FindStringSubmatch(o.text.String()), o.changed
		o.mu.Unlock()
		if found != nil {
			return found
		}
		select {
		case <-changed:
		case <-timeout:
			require.Fail(t, "it was not printed", "%s in:\n%s", pattern, o)
		}
	}
}
