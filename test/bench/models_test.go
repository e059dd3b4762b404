package bench_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

const (
	// modelWorkers is GENERATOR_WORKERS: as many as may be in flight.
	modelWorkers = 1024
	// modelConnections is on how many connections requests come in.
	modelConnections = 16
	// modelWait is how long a model takes that does not answer at once.
	modelWait = "50ms"
)

// models is a model server, and what passes requests on to it, each a process of its own beside a NATS server: the floor, a
// generator as it is by default, and one that publishes no request.processed, with another prefix.
type models struct {
	nats, upstream, floor, ours, quiet *process.Process
	more                               []*process.Process // generators with settings of their own

	url   string // of the model server
	http  *http.Client
	conns []*nats.Conn
}

// newModels starts all of it.
func newModels(b *testing.B) *models {
	b.Helper()
	m := &models{upstream: process.Start(b, programs.Path(b, "upstream"), "", nil), http: llm.NewHTTPClient()}
	b.Cleanup(m.http.CloseIdleConnections)
	m.url = m.upstream.Out.Await(b, `http://\S+`)[0]
	bus := process.StartNATS(b, programs.Path(b, "nats-server"), nil)
	m.nats = bus.Process
	m.floor = process.Start(b, programs.Path(b, "forwarder"), "", nil, bus.URL, m.url)
	m.floor.Out.Await(b, "forwarding")
	for range modelConnections {
		nc, err := nats.Connect(bus.URL)
		require.NoError(b, err)
		b.Cleanup(nc.Close)
		m.conns = append(m.conns, nc)
	}
	m.ours = m.generator(b, bus.URL, events.DefaultPrefix, nil)
	m.quiet = m.generator(b, bus.URL, "quiet", map[string]string{"GENERATOR_REQUEST_EVENTS": "0"})
	return m
}

// generator starts one that knows the model server twice: as it is, and as one that takes its time.
func (m *models) generator(b *testing.B, url, prefix string, more map[string]string) *process.Process {
	b.Helper()
	config := filepath.Join(b.TempDir(), "generator.yaml")
	require.NoError(b, os.WriteFile(config, fmt.Appendf(nil, `
providers:
  now: {protocol: openai, base_url: "%[1]s/v1", keys: [env:BENCH_KEY]}
  late: {protocol: openai, base_url: "%[1]s/after/%[2]s/v1", keys: [env:BENCH_KEY]}
`, m.url, modelWait), 0o600))
	env := map[string]string{
		"NATS_URL": url, "MLSDM_PREFIX": prefix, "MLSDM_ADMIN_ADDR": "off", "GENERATOR_CONFIG": config, "BENCH_KEY": "sk-bench",
		"GENERATOR_WORKERS": strconv.Itoa(modelWorkers),
	}
	provision := process.Start(b, programs.Path(b, "mlsdmctl"), "", env, "provision")
	require.Zero(b, provision.Exit(), "%s%s", provision.Out, provision.Errs)
	maps.Copy(env, more)
	g := process.Start(b, programs.Path(b, "generator"), "", env)
	eventually(b, "an answer of the generator", func() bool {
		_, err := m.conns[0].Request(prefix+".generate", chatRequest("now", false), time.Second)
		return err == nil
	})
	return g
}

// chatRequest is what is asked: a short conversation.
func chatRequest(provider string, stream bool) []byte {
	return fmt.Appendf(nil, `{"model":"%s/gpt-4o-mini","messages":[{"role":"system","content":"You are a helpful assistant. Answer in one sentence."},`+
		`{"role":"user","content":"What do you get if you multiply six by nine, and why is it not forty-two in base ten?"}],`+
		`"temperature":0.7,"max_completion_tokens":256,"stream":%t}`, provider, stream)
}

// processes are all of them but this one.
func (m *models) processes() []*process.Process {
	return append([]*process.Process{m.nats, m.upstream, m.floor, m.ours, m.quiet}, m.more...)
}
