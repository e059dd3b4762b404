package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// patience is how long a test waits for what must happen; it is no time that anything takes.
const patience = 30 * time.Second

// exampleConfig is the configuration of a service of its own.
type exampleConfig struct {
	Greeting string       `name:"greeting" env:"GREETING" default:"hello" help:"What to say."`
	Key      secret.Value `name:"example-key" env:"EXAMPLE_KEY" help:"What not to say."`
}

// example is a service whose test holds the strings.
type example struct {
	cfg     exampleConfig
	deps    service.Deps
	running chan struct{} // closed when Run has begun
	finish  chan struct{} // Run drains until this is closed
	failure error
}

func newExample() *example {
	return &example{running: make(chan struct{}), finish: make(chan struct{})}
}

// unit is named after a service of the catalogue, so that it needs streams.
func (e *example) unit() service.Unit {
	return service.Define(events.ServiceEmbedder, "An example.", e.build)
}

// build stands for the New of a service.
func (e *example) build(cfg exampleConfig, deps service.Deps) (*example, error) {
	e.cfg, e.deps = cfg, deps
	return e, nil
}

// Run waits for its end and then has work to finish, for which it needs the bus.
func (e *example) Run(ctx context.Context) error {
	close(e.running)
	if e.failure != nil {
		return e.failure
	}
	<-ctx.Done()
	<-e.finish
	_, err := e.deps.Bus.Publish(context.WithoutCancel(ctx), bus.Msg{Subject: e.deps.Bus.Subjects().Event("custom.last"), ID: "last", Body: []byte(`{}`)})
	return err
}

// process is a unit that is being executed.
type process struct {
	t      *testing.T
	cancel context.CancelFunc
	code   chan int
	log    *io.PipeReader
	lines  chan map[string]any
	stdout bytes.Buffer
}

// execute starts the unit, on an admin port of its own.
func execute(t *testing.T, u service.Unit, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	p := &process{t: t, cancel: cancel, code: make(chan int, 1), log: out, lines: make(chan map[string]any, 1024)}
	go func() {
		defer close(p.lines)
		for d := json.NewDecoder(out); ; {
			var line map[string]any
			if err := d.Decode(&line); err != nil {
				out.CloseWithError(err)
				return
			}
			p.lines <- line
		}
	}()
	go func() {
		code := u.Execute(ctx, service.Process{
			Args: append([]string{"--admin-addr=127.0.0.1:0", "--log-format=json"}, args...), Stdout: &p.stdout, Stderr: in,
		})
		in.CloseWithError(io.EOF)
		p.code <- code
	}()
	t.Cleanup(cancel)
	return p
}

// line returns the next line of the log with this message.
func (p *process) line(message string) map[string]any {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			require.True(p.t, ok, "the log ended without %q", message)
			if line["msg"] == message {
				return line
			}
		case <-timeout:
			require.FailNow(p.t, "no line in the log", message)
		}
	}
}

// addr returns where the admin listener is.
func (p *process) addr() string {
	p.t.Helper()
	addr, ok := p.line("the admin listener is open")["admin_addr"].(string)
	require.True(p.t, ok)
	return addr
}

func (p *process) exit() int {
	p.t.Helper()
	select {
	case code := <-p.code:
		return code
	case <-time.After(patience):
		require.FailNow(p.t, "the process does not end")
		return -1
	}
}

// report asks /readyz.
func report(t *testing.T, addr string) health.Report {
	t.Helper()
	response := get(t, "http://"+addr+"/readyz")
	defer response.Body.Close()
	var r health.Report
	require.NoError(t, json.NewDecoder(response.Body).Decode(&r))
	require.Equal(t, r.Status != health.StatusNotReady, response.StatusCode == http.StatusOK)
	return r
}

func get(t *testing.T, url string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	require.NoError(t, err)
	return response
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		require.FailNow(t, "it does not happen", what)
	}
}

// The whole life of a process: it waits for its streams, works, is told to stop, drains, and ends.
func TestExecute(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t, bustest.Bare())
	e := newExample()
	p := execute(t, e.unit(), "--nats-url="+server.URL(), "--greeting=hi", "--drain-timeout=20s")
	addr := p.addr()

	missing, ok := p.line("waiting until the bus has what this service needs")["err"].(string)
	require.True(t, ok)
	for _, part := range []string{"stream MLSDM_EVENTS", "stream MLSDM_REQUESTS", "consumer embedder", "mlsdmctl provision"} {
		require.Contains(t, missing, part)
	}
	r := report(t, addr)
	require.Equal(t, health.StatusNotReady, r.Status)
	require.Equal(t, health.StatusOK, r.Checks["bus"].Status)
	require.Equal(t, missing, r.Checks["streams"].Message)
	require.ErrorContains(t, health.Probe(t.Context(), addr), "stream MLSDM_EVENTS")

	server.Provision(t)
	p.line("everything that was missing is there")
	await(t, "Run", e.running)
	require.Equal(t, health.StatusReady, report(t, addr).Status)
	require.NoError(t, health.Probe(t.Context(), addr))
	require.Equal(t, "hi", e.cfg.Greeting)
	require.Equal(t, 20*time.Second, e.deps.DrainTimeout)
	require.Equal(t, "embedder", e.deps.Name)
	require.NotEmpty(t, e.deps.Version)

	metrics := get(t, "http://"+addr+"/metrics")
	defer metrics.Body.Close()
	text, err := io.ReadAll(metrics.Body)
	require.NoError(t, err)
	for _, part := range []string{`mlsdm_build_info{service="embedder"`, "go_goroutines", "process_open_fds"} {
		require.Contains(t, string(text), part)
	}

	p.cancel()
	stopping := p.line("stopping")
	require.Equal(t, "embedder", stopping["service"])
	r = report(t, addr)
	require.Equal(t, health.StatusNotReady, r.Status, "not ready while it drains")
	require.Equal(t, health.StatusFailed, r.Checks["shutdown"].Status)
	require.Equal(t, health.StatusOK, r.Checks["bus"].Status, "the bus is there until the work is done")

	close(e.finish)
	p.line("stopped")
	require.Zero(t, p.exit())
	require.Error(t, health.Probe(t.Context(), addr), "the listener is closed")

	js, err := server.Conn(t).JetStream()
	require.NoError(t, err)
	events, err := js.StreamInfo("MLSDM_EVENTS")
	require.NoError(t, err)
	require.EqualValues(t, 1, events.State.Msgs, "what the service published last of all is there")
}

func TestExecuteFailingService(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	e := newExample()
	e.failure = io.ErrUnexpectedEOF
	p := execute(t, e.unit(), "--nats-url="+server.URL())
	require.Equal(t, "unexpected EOF", p.line("stopped with an error")["err"])
	require.Equal(t, 1, p.exit())
}

func TestExecuteStopsWhileItWaits(t *testing.T) {
	t.Parallel()
	t.Run("for nats", func(t *testing.T) {
		t.Parallel()
		p := execute(t, newExample().unit(), "--nats-url=nats://127.0.0.1:1")
		addr := p.addr()
		p.line("nats is not there yet; trying until it is")
		require.Contains(t, report(t, addr).String(), "bus failed: not connected to nats yet")
		p.cancel()
		require.Zero(t, p.exit(), "to be told to stop is no failure")
	})
	t.Run("for streams", func(t *testing.T) {
		t.Parallel()
		e := newExample()
		p := execute(t, e.unit(), "--nats-url="+bustest.Start(t, bustest.Bare()).URL())
		p.line("waiting until the bus has what this service needs")
		p.cancel()
		require.Zero(t, p.exit())
		require.Nil(t, e.deps.Bus, "a service that never had its streams was never made")
	})
}

func TestExecuteAdminAddressInUse(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	first := newExample()
	close(first.finish)
	addr := execute(t, first.unit(), "--nats-url="+server.URL()).addr()
	second := execute(t, newExample().unit(), "--nats-url="+server.URL(), "--admin-addr="+addr)
	failure, ok := second.line("stopped with an error")["err"].(string)
	require.True(t, ok)
	require.Contains(t, failure, "admin-addr "+addr+" is in use")
	require.Equal(t, 1, second.exit())
}

// run executes a unit that does not get as far as to run.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = newExample().unit().Execute(t.Context(), service.Process{Args: args, Stdout: &out, Stderr: &errs})
	return code, out.String(), errs.String()
}

func TestExecuteAnswers(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, "--help")
	require.Zero(t, code)
	require.Empty(t, stderr)
	for _, part := range []string{"An example.", "Examples:", "--greeting", "--nats-url", "--admin-addr", "--drain-timeout", "--otlp-endpoint", "--health"} {
		require.Contains(t, stdout, part)
	}

	code, stdout, _ = run(t, "--version")
	require.Zero(t, code)
	require.True(t, strings.HasPrefix(stdout, "embedder "), stdout)

	code, stdout, _ = run(t, "--print-config", "--example-key=canary")
	require.Zero(t, code)
	require.Contains(t, stdout, "greeting: hello # default\n")
	require.NotContains(t, stdout, "canary")

	code, stdout, _ = run(t, "--check-config")
	require.Zero(t, code)
	require.Contains(t, stdout, "valid")
}

func TestExecuteWrongUse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		arg, want string
		code      int
	}{
		{"--greting=x", "unknown flag --greting", 2},
		{"--admin-addr=9090", `admin-addr: "9090" is not host:port`, 2},
		{"--drain-timeout=2h", "drain-timeout is 2h0m0s", 2},
		{"--drain-timeout=-1s", "drain-timeout is -1s", 2},
		{"--config=/does/not/exist.yaml", "/does/not/exist.yaml", 2},
		{"--nats-creds=/does/not/exist.creds", "nats", 1},
	}
	for _, tt := range tests {
		t.Run(tt.arg, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := run(t, tt.arg, "--nats-url=nats://127.0.0.1:1")
			require.Equal(t, tt.code, code, stderr)
			require.Contains(t, stderr, tt.want)
			require.Equal(t, tt.code == 2, strings.Contains(stderr, "embedder --help shows every setting"))
		})
	}
	code, _, stderr := run(t, "--check-config", "--drain-timeout=2h")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "drain-timeout")
}

func TestExecuteHealth(t *testing.T) {
	t.Parallel()
	e := newExample()
	close(e.finish)
	p := execute(t, e.unit(), "--nats-url="+bustest.Start(t).URL())
	addr := p.addr()
	await(t, "Run", e.running)
	code, _, stderr := run(t, "--health", "--admin-addr="+addr)
	require.Zero(t, code, stderr)

	p.cancel()
	require.Zero(t, p.exit())
	code, _, stderr = run(t, "--health", "--admin-addr="+addr)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, addr)

	code, _, stderr = run(t, "--health", "--admin-addr=off")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "nothing to ask")
}
