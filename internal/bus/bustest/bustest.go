// Package bustest gives every test a NATS server of its own, in the test's process, with JetStream and the assets of the
// catalogue.
package bustest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
)

// maxPayload is what our servers allow (see docs/protocol.md).
const maxPayload = 8 << 20

// Server is a running NATS server.
type Server struct {
	*server.Server
	dir       string
	port      int
	configure func(*server.Options)
	traced    bool
	closed    *closed // nil: anyone may do anything
}

// Option changes how a server is started.
type Option func(*settings)

type settings struct {
	bare      bool
	closed    *permissions.Installation
	traced    bool
	configure func(*server.Options)
}

// Bare leaves the server without streams, consumers and buckets.
func Bare() Option { return func(s *settings) { s.bare = true } }

// Configure changes the server's options before it starts, for example to add users.
func Configure(f func(*server.Options)) Option { return func(s *settings) { s.configure = f } }

// Start starts a server on a free loopback port, with JetStream in the test's own folder, and provisions it. It is shut
// down, and waited for, when the test ends.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	var set settings
	for _, o := range opts {
		o(&set)
	}
	s := &Server{dir: t.TempDir(), port: server.RANDOM_PORT, configure: set.configure, traced: set.traced}
	if set.closed != nil {
		s.closed = newClosed(t, *set.closed)
	}
	s.start(t)
	t.Cleanup(s.stop)
	if !set.bare {
		s.Provision(t)
	}
	return s
}

// start runs the server in s.dir.
func (s *Server) start(t testing.TB) {
	t.Helper()
	o := &server.Options{}
	if s.closed != nil {
		o = s.closed.options(t)
	}
	o.ServerName, o.Host, o.Port, o.JetStream, o.StoreDir = "bustest", "127.0.0.1", s.port, true, s.dir
	o.JetStreamMaxStore = 1 << 40 // streams reserve their bounds, which a test does not fill: a small disk is no reason to refuse them
	o.NoLog, o.NoSigs, o.MaxPayload = true, true, maxPayload
	if s.traced && s.closed == nil {
		o.Accounts = append(o.Accounts, tracedAccount(t))
	}
	if s.configure != nil {
		s.configure(o)
	}
	srv, err := server.NewServer(o)
	require.NoError(t, err)
	srv.Start()
	require.True(t, srv.ReadyForConnections(20*time.Second), "the embedded NATS server does not start")
	s.Server = srv
	addr, ok := srv.Addr().(*net.TCPAddr)
	require.True(t, ok)
	s.port = addr.Port
}

// stop shuts the server down and waits until its files are closed.
func (s *Server) stop() {
	s.Shutdown()
	s.WaitForShutdown()
}

// Restart stops the server and starts it again on the same port, with the same files and options.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.stop()
	s.start(t)
}

// RestartWith is Restart with other options, for example other users.
func (s *Server) RestartWith(t testing.TB, opts ...Option) {
	t.Helper()
	var set settings
	for _, o := range opts {
		o(&set)
	}
	s.configure = set.configure
	s.Restart(t)
}

// Provision makes the assets of the catalogue.
func (s *Server) Provision(t testing.TB) {
	t.Helper()
	user := "provision"
	if s.closed != nil {
		user = permissions.Admin
	}
	b := s.Connect(t, user)
	steps, err := provision.Plan(t.Context(), b, provision.Default())
	require.NoError(t, err)
	require.NoError(t, provision.Apply(t.Context(), steps, nil))
}

// URL is where clients outside of the process connect.
func (s *Server) URL() string { return s.ClientURL() }

// Config is the bus configuration that reaches the server.
func (s *Server) Config() bus.Config { return bus.Config{URLs: []string{s.URL()}} }

// Connect connects a bus that is closed when the test ends. On a closed server, name is the user. Its spans are checked; see [Tracer].
func (s *Server) Connect(t testing.TB, name string) *bus.Bus {
	t.Helper()
	return s.ConnectTraced(t, name, Tracer(t))
}

// ConnectTraced is [Server.Connect] with a tracer of the test's own; nil is none.
func (s *Server) ConnectTraced(t testing.TB, name string, tracer trace.TracerProvider) *bus.Bus {
	t.Helper()
	o := bus.Options{Logger: Logger(t), Tracer: tracer}
	if s.closed != nil {
		o.Key = s.Key(t, name)
	}
	b, err := bus.Connect(t.Context(), s.Config(), name, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Logf("closing the bus of %s: %v", name, err)
		}
	})
	return b
}

// Conn connects a plain NATS client, as a user of the stack would.
func (s *Server) Conn(t testing.TB) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.URL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// Message makes a message of a plain client, with headers or without.
func Message(subject, reply string, header map[string][]string, body []byte) *nats.Msg {
	return &nats.Msg{Subject: subject, Reply: reply, Header: header, Data: body}
}

// Logger logs what is worth a warning to the test's own output, and nothing when the test is over.
func Logger(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(testWriter(t), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// testWriter returns the test's output as a writer that falls silent when the test ends: goroutines which outlive the test
// would otherwise panic in it.
func testWriter(t testing.TB) io.Writer {
	w := &quietWriter{out: t.Output()}
	t.Cleanup(w.close)
	return w
}

type quietWriter struct {
	mu     sync.Mutex
	out    io.Writer
	closed bool
}

func (w *quietWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return len(p), nil
	}
	return w.out.Write(p)
}

func (w *quietWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}
