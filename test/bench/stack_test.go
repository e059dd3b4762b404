package bench_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

const (
	// secret signs the webhooks, of the stack and of the ceiling.
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjwA"
	// memoryLimit is what the NATS server is told not to exceed without need (GOMEMLIMIT). What it has to remember when
	// 100,000 retries wait needs more: below that, it would do little else than collect garbage.
	memoryLimit, largeMemoryLimit = "128MiB", "256MiB"
	// patience is how long is waited for what must happen.
	patience = 5 * time.Minute
	// quickly is how often is looked whether it has.
	quickly = 20 * time.Millisecond
)

// programs are the processes of a stack.
//
//nolint:gochecknoglobals // built once, and removed after the last benchmark
var programs = process.NewPrograms(process.NATSServer, "./cmd/mlsdmctl", "./services/dispatcher/cmd/dispatcher",
	"./services/generator/cmd/generator", "./services/embedder/cmd/embedder", "./test/bench/sink", "./test/bench/upstream", "./test/bench/forwarder")

func TestMain(m *testing.M) {
	defer programs.Remove()
	m.Run()
}

// stack is a NATS server, dispatchers and a sink, each a process of its own, and this process as who publishes.
type stack struct {
	nats    *process.NATS
	sink    *process.Process
	sinkURL string
	env     map[string]string
	nc      *nats.Conn
	js      jetstream.JetStream
	http    *http.Client

	mu          sync.Mutex
	dispatchers []*process.Process
}

// newStack starts a server, provisioned as mlsdmctl does it, a sink, and a number of dispatchers with one endpoint from
// their environment, which gets the events of type custom.bench.
func newStack(b *testing.B, dispatchers int, memoryLimit string) *stack {
	b.Helper()
	s := &stack{http: &http.Client{Timeout: time.Minute}}
	s.sink = process.Start(b, programs.Path(b, "sink"), "", nil)
	s.sinkURL = s.sink.Out.Await(b, `http://\S+`)[0]
	s.nats = process.StartNATS(b, programs.Path(b, "nats-server"), map[string]string{"GOMEMLIMIT": memoryLimit})
	s.env = map[string]string{
		"NATS_URL": s.nats.URL, "MLSDM_ADMIN_ADDR": "off", "WEBHOOK_URL": s.sinkURL + "/ok/0", "WEBHOOK_SECRET": secret,
		"WEBHOOK_ALLOW_LOOPBACK": "true", "WEBHOOK_EVENTS": custom("bench"), "WEBHOOK_BENCH_KEY": secret,
	}
	provision := process.Start(b, programs.Path(b, "mlsdmctl"), "", map[string]string{"NATS_URL": s.nats.URL}, "provision")
	require.Zero(b, provision.Exit(), "%s%s", provision.Out, provision.Errs)
	var err error
	s.nc, err = nats.Connect(s.nats.URL)
	require.NoError(b, err)
	b.Cleanup(s.nc.Close)
	s.js, err = jetstream.New(s.nc, jetstream.WithPublishAsyncMaxPending(256), jetstream.WithPublishAsyncTimeout(patience))
	require.NoError(b, err)
	s.startDispatchers(b, dispatchers)
	return s
}

// startDispatchers starts n more dispatchers and waits until all answer.
func (s *stack) startDispatchers(b *testing.B, n int) {
	b.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.dispatchers = append(s.dispatchers, process.Start(b, programs.Path(b, "dispatcher"), "", maps.Clone(s.env)))
	}
	eventually(b, "answers of all dispatchers", func() bool {
		inbox := nats.NewInbox()
		answers, err := s.nc.SubscribeSync(inbox)
		require.NoError(b, err)
		defer func() { require.NoError(b, answers.Unsubscribe()) }()
		require.NoError(b, s.nc.PublishRequest("$SRV.PING."+events.MicroName(events.ServiceDispatcher), inbox, nil))
		for range s.dispatchers {
			if _, err := answers.NextMsg(time.Second); err != nil {
				return false
			}
		}
		return true
	})
}

// stopDispatchers ends all dispatchers, as an operator does.
func (s *stack) stopDispatchers(b *testing.B) {
	b.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dispatchers {
		d.Interrupt()
	}
	for _, d := range s.dispatchers {
		require.Zero(b, d.Exit(), "%s", d.Errs)
	}
	s.dispatchers = nil
}

// reset makes the sink forget, and wait for a number of events at a number of endpoints.
func (s *stack) reset(b *testing.B, endpoints, events int) {
	b.Helper()
	s.ask(b, http.MethodPost, "/reset?endpoints="+strconv.Itoa(endpoints)+"&events="+strconv.Itoa(events), nil)
}

// seen is what the sink tells.
type seen struct {
	Requests, Distinct, First, Last int64
}

// await waits until the sink has got n different webhooks, and everything is acked.
func (s *stack) await(b *testing.B, n int) (got seen) {
	b.Helper()
	eventually(b, strconv.Itoa(n)+" webhooks", func() bool {
		s.ask(b, http.MethodGet, "/seen", &got)
		return got.Distinct >= int64(n)
	})
	return got
}

// ask asks the sink.
func (s *stack) ask(b *testing.B, method, path string, answer any) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, s.sinkURL+path, nil)
	require.NoError(b, err)
	resp, err := s.http.Do(req)
	require.NoError(b, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	require.Less(b, resp.StatusCode, 300, "%s", body)
	if answer != nil {
		require.NoError(b, json.Unmarshal(body, answer))
	}
}

// eventually waits until something is true.
func eventually(b *testing.B, what string, happened func() bool) {
	b.Helper()
	tick, timeout := time.NewTicker(quickly), time.After(patience)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-timeout:
			require.Fail(b, "it does not happen", what)
		}
	}
}
