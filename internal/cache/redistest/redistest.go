// Package redistest gives tests a Redis, a real one wherever that is possible.
//
// It is the one at REDIS_ADDR; or else a redis-server of the test's own, if that program is there, which has to be so on CI (CI=true);
// or else, on the machine of somebody who has just come, miniredis, and the test says so. What only a process of its own can show, such
// as a Redis that stands still, is then not shown.
package redistest

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/require"
)

const install = "there is no redis-server on PATH; install it (Debian: apt-get install redis-server) or set REDIS_ADDR"

// patience is how long a server may take to start, to end, or to notice something, on a slow and busy machine.
const patience = 30 * time.Second

// Addr returns the address (host:port) of a Redis that the test may share with others: it keeps to keys of its own.
func Addr(tb testing.TB) string {
	tb.Helper()
	if addr := os.Getenv("REDIS_ADDR"); addr != "" {
		return addr
	}
	if s := Run(tb); s != nil {
		return s.Addr
	}
	tb.Log("!!! RUNNING ON MINIREDIS, WHICH IS NOT REDIS: " + install)
	return pretend(tb)
}

// pretend starts a miniredis, whose clock stands still unless somebody turns it.
func pretend(tb testing.TB) string {
	tb.Helper()
	const step = 20 * time.Millisecond
	server := miniredis.RunT(tb)
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	var turning sync.WaitGroup
	tb.Cleanup(func() { stop(); turning.Wait() })
	turning.Go(func() {
		tick := time.NewTicker(step)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				server.FastForward(step)
			}
		}
	})
	return server.Addr()
}

// Server is a redis-server that is the test's own.
type Server struct {
	// Addr is host:port.
	Addr string
	// Dir is its folder, which is empty at first.
	Dir string

	tb   testing.TB
	path string
	args []string
	cmd  *exec.Cmd
	done chan struct{}
}

// Run starts a redis-server on a port of its own, with more arguments (--name value…), and ends it with the test. Without the program it
// fails on CI, and elsewhere says so and returns nil: what is to be shown cannot be.
func Run(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return run(tb, func(s *Server, port string) []string {
		return append([]string{"--port", port, "--save", "", "--appendonly", "no"}, args...)
	})
}

// run starts a server with what arguments returns for a port.
func run(tb testing.TB, arguments func(s *Server, port string) []string) *Server {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatal(install)
		}
		tb.Log("!!! NOT SHOWN HERE: " + install)
		return nil
	}
	for range 5 { // somebody may take the port before the server does
		s := &Server{tb: tb, path: path, Addr: FreeAddr(tb), Dir: tb.TempDir()}
		_, port, err := net.SplitHostPort(s.Addr)
		require.NoError(tb, err)
		s.args = append(arguments(s, port), "--bind", "127.0.0.1", "--dir", s.Dir, "--logfile", filepath.Join(s.Dir, "redis.log"), "--daemonize", "no")
		if s.Start() {
			tb.Cleanup(s.Kill)
			return s
		}
		s.Kill()
	}
	tb.Fatal("redis-server does not start")
	return nil
}

// FreeAddr returns an address on loopback that nobody listens at. Its port and the one of the bus of a Cluster, 10000 above, are below 65536.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	for range 1000 {
		listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
		require.NoError(tb, err)
		addr := listener.Addr().String()
		require.NoError(tb, listener.Close())
		if Port(tb, addr) < 55000 {
			return addr
		}
	}
	tb.Fatal("there is no free port below 55000")
	return ""
}

// Port returns the port of an address.
func Port(tb testing.TB, addr string) int {
	tb.Helper()
	_, text, err := net.SplitHostPort(addr)
	require.NoError(tb, err)
	port, err := strconv.Atoi(text)
	require.NoError(tb, err)
	return port
}

// Start starts the server, again after [Server.Kill] and with nothing in it, and reports whether it has.
func (s *Server) Start() bool {
	cmd := exec.CommandContext(context.WithoutCancel(s.tb.Context()), s.path, s.args...)
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

// answers reports whether somebody listens, and it is this server: another one's process would have ended at once.
func (s *Server) answers() bool {
	text, err := os.ReadFile(filepath.Join(s.Dir, "redis.log"))
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
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.done
	// The next start must not find in it that this one was ready.
	if err := os.Remove(filepath.Join(s.Dir, "redis.log")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.tb.Errorf("the log of a Redis that was killed: %v", err)
	}
}

// Freeze has the server stand still, with its connections open, until [Server.Thaw].
func (s *Server) Freeze() { require.NoError(s.tb, s.cmd.Process.Signal(syscall.SIGSTOP)) }

// Thaw has it go on.
func (s *Server) Thaw() { require.NoError(s.tb, s.cmd.Process.Signal(syscall.SIGCONT)) }

// Client returns a client of the server, for tests to look into it.
func (s *Server) Client() *redis.Client { return Client(s.tb, s.Addr) }

// Do runs one command, which has to succeed.
func (s *Server) Do(args ...any) {
	s.tb.Helper()
	require.NoError(s.tb, s.Client().Do(s.tb.Context(), args...).Err())
}

// Client returns a plain client of the Redis at addr.
func Client(tb testing.TB, addr string) *redis.Client {
	tb.Helper()
	logging.Disable()
	client := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience})
	tb.Cleanup(func() {
		if err := client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) { // a test may have closed it
			tb.Errorf("closing a client of Redis: %v", err)
		}
	})
	return client
}
