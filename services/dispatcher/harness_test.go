package dispatcher_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher"
)

// patience is how long a test waits for something that must happen; nothing takes it unless it fails.
const patience = 30 * time.Second

const testSecret = "s3cret-canary"

// config delivers to url, with waits as short as the scheduler allows.
func config(url string) dispatcher.Config {
	return dispatcher.Config{
		URL: secret.NewValue(url), Secret: secret.NewValue(testSecret), Events: []string{">"}, AllowNetworks: []string{"127.0.0.0/8"},
		Format: events.FormatStandard, Retry: waits(9, time.Millisecond), Timeout: 10 * time.Second, Workers: 8,
		SealKeys: []secret.Value{secret.NewValue(base64.StdEncoding.EncodeToString(make([]byte, 32)))}, Secrets: []string{"webhook.*"},
	}
}

// waits is a schedule of n waits, each about as long as wait.
func waits(n int, wait time.Duration) []string {
	return slices.Repeat([]string{wait.String()}, n)
}

// running is a dispatcher at work.
type running struct {
	bus      *bus.Bus
	registry *prometheus.Registry
	checks   *health.Checks
	log      *log
	stop     func() // ends it cleanly and waits; it must return nil
	kill     func() // cuts its connection, as the end of its process would, and waits
}

// run starts a dispatcher on a connection of its own. It is stopped when the test ends, if not before.
func run(t testing.TB, srv *bustest.Server, cfg dispatcher.Config, change ...func(*dispatcher.Service)) *running {
	t.Helper()
	return runTraced(t, srv, bustest.Tracer(t), cfg, change...)
}

// runTraced is run with a tracer of the test's own.
func runTraced(t testing.TB, srv *bustest.Server, tracer trace.TracerProvider, cfg dispatcher.Config, change ...func(*dispatcher.Service)) *running {
	t.Helper()
	r := &running{bus: srv.ConnectTraced(t, "dispatcher", tracer), registry: prometheus.NewRegistry(), checks: health.NewChecks(), log: &log{}}
	asker, err := remote.New(r.bus, events.ServiceDispatcher)
	require.NoError(t, err)
	svc, err := dispatcher.New(cfg, service.Deps{
		Name: "dispatcher", Bus: r.bus, Secrets: asker, Metrics: r.registry, Health: r.checks,
		Logger:  slog.New(slog.NewMultiHandler(bustest.Logger(t).Handler(), slog.NewTextHandler(r.log, nil))),
		Version: "1.2.3", DrainTimeout: 2 * time.Second, Tracer: tracer,
	})
	require.NoError(t, err)
	for _, c := range change {
		c(svc)
	}
	ctx, cancel := context.WithCancel(context.Background()) // it must outlive the test's own context to drain
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	ended := func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			require.Fail(t, "the dispatcher does not stop")
			return nil
		}
	}
	var once sync.Once
	r.stop = func() { once.Do(func() { require.NoError(t, ended()) }) }
	r.kill = func() {
		once.Do(func() {
			now, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, r.bus.Close(now), context.Canceled)
			_ = ended() // with or without an error: it was killed
		})
	}
	t.Cleanup(r.stop)
	return r
}

// log keeps lines.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements [io.Writer].
func (l *log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// count returns how many lines hold a text.
func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// hit is a webhook as it arrived.
type hit struct {
	header http.Header
	body   []byte
	id     string // webhook-id
}

// receiver is someone who gets webhooks.
type receiver struct {
	url  string
	hits chan hit
}

// newReceiver answers the n-th webhook, counted from 1, as answer says; nil answers 200 to all.
func newReceiver(t testing.TB, answer func(w http.ResponseWriter, h hit, n int)) *receiver {
	t.Helper()
	r := &receiver{hits: make(chan hit, 10_000)}
	var mu sync.Mutex
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the sender went away
		}
		h := hit{header: req.Header, body: body, id: req.Header.Get("webhook-id")}
		mu.Lock()
		n++
		count := n
		mu.Unlock()
		if answer != nil {
			answer(w, h, count)
		}
		r.hits <- h
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// status is an answer that is always the same.
func status(code int) func(http.ResponseWriter, hit, int) {
	return func(w http.ResponseWriter, _ hit, _ int) { w.WriteHeader(code) }
}

// next waits for the next webhook.
func (r *receiver) next(t testing.TB) hit {
	t.Helper()
	select {
	case h := <-r.hits:
		return h
	case <-time.After(patience):
		require.Fail(t, "no webhook arrived")
		return hit{}
	}
}

// publish publishes an event with the given id and returns it.
func publish(t testing.TB, b *bus.Bus, eventType, id string) events.Event {
	t.Helper()
	ev := events.Event{
		ID: id, Source: "/test", Type: eventType, Time: time.Now().UTC(), DataContentType: events.ContentTypeJSON,
		Data: []byte(`{"n":1}`),
	}
	_, err := b.PublishEvent(t.Context(), ev)
	require.NoError(t, err)
	return ev
}

// message is what a test sees of the bus.
type message struct {
	subject string
	header  map[string][]string
	body    []byte
}

// listen returns a function that waits for the next message on a subject, from now on.
func listen(t testing.TB, srv *bustest.Server, subject string) func() message {
	t.Helper()
	nc := srv.Conn(t)
	sub, err := nc.SubscribeSync(subject)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	return func() message {
		t.Helper()
		msg, err := sub.NextMsg(patience)
		require.NoError(t, err, "waiting on %s", subject)
		return message{subject: msg.Subject, header: msg.Header, body: msg.Data}
	}
}

// value returns a header of a message.
func (m message) value(name string) string { return events.HeaderValue(m.header, name) }

// stored returns how many messages a stream holds.
func stored(t testing.TB, srv *bustest.Server, stream string) int {
	t.Helper()
	js, err := srv.Conn(t).JetStream()
	require.NoError(t, err)
	info, err := js.StreamInfo(stream)
	require.NoError(t, err)
	return int(info.State.Msgs)
}

// eventually waits until a stream holds n messages.
func eventually(t testing.TB, srv *bustest.Server, stream string, n int) {
	t.Helper()
	js, err := srv.Conn(t).JetStream()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		info, err := js.StreamInfo(stream)
		return err == nil && info.State.Msgs == uint64(n)
	}, patience, 10*time.Millisecond, "%s never holds %d messages", stream, n)
}

// settled waits until no delivery is on its way any more.
func settled(t testing.TB, srv *bustest.Server) {
	t.Helper()
	eventually(t, srv, "MLSDM_DELIVERIES", 0) // what is left moves on into the next, and never back
	eventually(t, srv, "MLSDM_WAITING", 0)
}

// counted returns the value of a counter.
func (r *running) counted(t testing.TB, name, label, value string) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	require.NoError(t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					sum += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
				}
			}
		}
	}
	return sum
}

// decode reads JSON.
func decode[T any](t testing.TB, body []byte) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(body, &v))
	return v
}
