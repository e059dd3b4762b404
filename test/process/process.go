// Package process gives tests real processes: commands that are built once, run in an environment of their own, watched,
// stopped and killed.
package process

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Patience is how long a test waits for what must happen; nothing takes it unless it fails.
const Patience = 60 * time.Second

// Process is a command that runs.
type Process struct {
	// Out and Errs are what it has written.
	Out, Errs *Output

	t     testing.TB
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // how it ended; valid once ended is closed
}

// Start starts a program, which reads input, in an environment that holds env and nothing of the developer's. It is killed
// when the test ends.
func Start(t testing.TB, path, input string, env map[string]string, args ...string) *Process {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...) // a cleanup may still stop it well
	p := &Process{t: t, name: filepath.Base(path), cmd: cmd, Out: new(Output), Errs: new(Output), ended: make(chan struct{})}
	all := map[string]string{"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "TMPDIR": os.TempDir()} //nolint:usetesting // inherited
	maps.Copy(all, env)
	for key, value := range all {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = bytes.NewBufferString(input), p.Out, p.Errs, time.Second
	require.NoError(t, cmd.Start())
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended long ago
		<-p.ended
		if t.Failed() {
			t.Logf("%v said:\n%s%s", cmd.Args, p.Out, p.Errs)
		}
	})
	return p
}

// PID is its number in the system.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Args are how it was called, its path first.
func (p *Process) Args() []string { return p.cmd.Args }

// Ended is closed when it has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Kill ends the process as kill -9 does, and waits until it is gone. That it ended before, by itself, fails the test.
func (p *Process) Kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		require.ErrorIs(p.t, err, os.ErrProcessDone)
	}
	<-p.ended
	var exit *exec.ExitError
	require.ErrorAs(p.t, p.err, &exit, "%s was to run until it is killed: %s", p.name, p.Errs)
	status, ok := exit.Sys().(syscall.WaitStatus)
	require.True(p.t, ok)
	require.Equal(p.t, syscall.SIGKILL, status.Signal(), "%s ended by itself: %v: %s", p.name, p.err, p.Errs)
}

// KillAfter is Kill a while from now.
func (p *Process) KillAfter(d time.Duration) {
	p.t.Helper()
	select {
	case <-p.ended:
		require.Fail(p.t, "it ended by itself", "%v: %s", p.err, p.Errs)
	case <-time.After(d):
	}
	p.Kill()
}

// KillUnlessEnded kills the process a while from now, and reports whether it did: a command may have done its work by then.
func (p *Process) KillUnlessEnded(d time.Duration) bool {
	p.t.Helper()
	select {
	case <-p.ended:
		return false
	case <-time.After(d):
	}
	if err := p.cmd.Process.Kill(); err != nil {
		require.ErrorIs(p.t, err, os.ErrProcessDone)
	}
	<-p.ended
	exit, failed := errors.AsType[*exec.ExitError](p.err)
	if !failed {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	require.True(p.t, ok)
	return status.Signal() == syscall.SIGKILL
}

// Interrupt is Ctrl-C.
func (p *Process) Interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(os.Interrupt))
}

// Exit waits until the process has ended and returns its status.
func (p *Process) Exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		require.Fail(p.t, p.name+" does not end", "%s%s", p.Out, p.Errs)
	}
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		return exit.ExitCode()
	}
	require.NoError(p.t, p.err)
	return 0
}
