package redistest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// Server is a redis-server that is the test's own.
type Server struct {
	// Addr is host:port.
	Addr string
	// Dir is its folder, which is empty at first.
	Dir string

	tb        testing.TB
	command   []string
	container string // its name; empty when it is a process
	cmd       *exec.Cmd
	done      chan struct{}
}

// Run starts a redis-server on a port of its own, with more arguments (--name value…), and ends it with the test. What arguments name
// stands in folders of the test ([testing.TB.TempDir]). Where neither the program nor a container can be had, it fails on CI, and
// elsewhere says so and returns nil: what is to be shown cannot be.
func Run(tb testing.TB, args ...string) *Server {
	tb.Helper()
	chosen, err := thisMachine(tb.Context()).choose(tb, program, container)
	require.NoError(tb, err)
	return run(tb, chosen, arguments(args))
}

// arguments returns those of a Redis that keeps nothing on a disk.
func arguments(more []string) func(*Server, string) []string {
	return func(_ *Server, port string) []string {
		return append([]string{"--port", port, "--save", "", "--appendonly", "no"}, more...)
	}
}

// run starts a server of a kind with what arguments returns for a port; nil when it is to come from nowhere.
func run(tb testing.TB, chosen kind, arguments func(s *Server, port string) []string) *Server {
	tb.Helper()
	if chosen != program && chosen != container {
		return nil
	}
	for range 5 { // somebody may take the port before the server does
		s := &Server{tb: tb, Addr: FreeAddr(tb), Dir: tb.TempDir()}
		_, port, err := net.SplitHostPort(s.Addr)
		require.NoError(tb, err)
		args := append(arguments(s, port), "--dir", s.Dir, "--logfile", s.log(), "--daemonize", "no")
		if chosen == container {
			s.container = "mlsdm-redis-" + strings.ToLower(rand.Text())
			s.command = s.contained(args)
		} else {
			s.command = append([]string{"redis-server"}, append(args, "--bind", "127.0.0.1")...)
		}
		if s.Start() {
			tb.Cleanup(s.Kill)
			return s
		}
		s.Kill()
	}
	tb.Fatal("redis-server does not start")
	return nil
}

// contained returns how to run redis-server in a container, as who runs the test, with its ports on loopback and the test's folders
// where they are here.
func (s *Server) contained(args []string) []string {
	folders := filepath.Dir(s.Dir)
	command := []string{
		"docker", "run", "--rm", "--name", s.container, "--label", "mlsdm=test", "--user", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()),
		"--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--volume", folders + ":" + folders, "--entrypoint", "redis-server",
	}
	for i, arg := range args[:len(args)-1] {
		if arg == "--port" || arg == "--tls-port" {
			command = append(command, "--publish", "127.0.0.1:"+args[i+1]+":"+args[i+1])
		}
	}
	return append(append(command, image), append(args, "--bind", "0.0.0.0", "--protected-mode", "no")...)
}

// Start starts the server, again after [Server.Kill] and with nothing in it, and reports whether it has.
func (s *Server) Start() bool {
	cmd := exec.CommandContext(context.WithoutCancel(s.tb.Context()), s.command[0], s.command[1:]...)
	require.NoError(s.tb, cmd.Start())
	done := make(chan struct{})
	s.cmd, s.done = cmd, done
	go func() {
		_ = cmd.Wait() // it ends by a signal
		close(done)
	}()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return false
		case <-deadline:
			return false
		case <-tick.C:
			if s.answers() {
				return true
			}
		}
	}
}

// log is the name of the file that it writes.
func (s *Server) log() string { return filepath.Join(s.Dir, "redis.log") }

// answers reports whether somebody listens, and it is this server: another one's process would have ended at once.
func (s *Server) answers() bool {
	text, err := os.ReadFile(s.log())
	if err != nil || !strings.Contains(string(text), "eady to accept connections") && !strings.Contains(string(text), "Sentinel ID is") {
		return false
	}
	connection, err := new(net.Dialer).DialContext(s.tb.Context(), "tcp", s.Addr)
	if err != nil {
		return false
	}
	return connection.Close() == nil
}

// Kill ends the server at once. What it holds is lost.
func (s *Server) Kill() {
	if s.container != "" {
		// It may have ended. The program that waits for it ends when it is gone.
		_ = cli(context.WithoutCancel(s.tb.Context()), patience, "kill", s.container) // it may have ended by itself; --rm removes it in any case
		select {
		case <-s.done:
		case <-time.After(patience):
			s.tb.Errorf("the container %s does not end", s.container)
		}
	}
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.done
	// The next start must not find in it that this one was ready.
	if err := os.Remove(s.log()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.tb.Errorf("the log of a Redis that was killed: %v", err)
	}
}

// Freeze has the server stand still, with its connections open, until [Server.Thaw].
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP, "pause") }

// Thaw has it go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT, "unpause") }

// signal sends a signal to a process, or a command to a container.
func (s *Server) signal(signal syscall.Signal, command string) {
	s.tb.Helper()
	if s.container == "" {
		require.NoError(s.tb, s.cmd.Process.Signal(signal))
		return
	}
	require.NoError(s.tb, cli(s.tb.Context(), patience, command, s.container))
}

// Client returns a client of the server, for tests to look into it.
func (s *Server) Client() *redis.Client { return Client(s.tb, s.Addr) }

// Do runs one command, which has to succeed.
func (s *Server) Do(args ...any) {
	s.tb.Helper()
	require.NoError(s.tb, s.Client().Do(s.tb.Context(), args...).Err())
}
