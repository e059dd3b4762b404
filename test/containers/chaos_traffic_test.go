//go:build containers

package containers_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// receivers is how many endpoints there are.
	receivers = 10
	// chaosType is the type of the events.
	chaosType = "custom.chaos"
)

// ledger is what was acked, and what has come of it. It is safe for concurrent use.
type ledger struct {
	mu       sync.Mutex
	events   []string                  // ids that were acked
	durables []string                  // ids that were acked
	got      [receivers]map[string]int // how often a receiver took an event
	secrets  int
	refused  map[string]int // operation and code: what was not acked
}

func newLedger() *ledger {
	l := &ledger{refused: map[string]int{}}
	for i := range l.got {
		l.got[i] = map[string]int{}
	}
	return l
}

// note notes what became of an operation.
func (l *ledger) note(operation string, err error, acked func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.refused[operation+" "+string(events.CodeOf(err))]++
		return
	}
	acked()
}

// ServeHTTP implements [http.Handler]: the path is the number of a receiver. It takes everything.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil || n < 0 || n >= receivers {
		http.NotFound(w, r)
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the sender died in the middle of it
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got[n][r.Header.Get("webhook-id")]++
	w.WriteHeader(http.StatusNoContent)
}

// receive serves the receivers to the containers, and makes their endpoints.
func (s trio) receive(t *testing.T, l *ledger) {
	t.Helper()
	server := httptest.NewUnstartedServer(l)
	require.NoError(t, server.Listener.Close())
	var err error
	server.Listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(s.gateway(t), "0"))
	require.NoError(t, err)
	server.Start()
	t.Cleanup(server.Close)
	c := s.client(t, "client", s.ports)
	for i := range receivers {
		retry := make([]string, events.MaxEndpointRetries)
		for n := range retry {
			retry[n] = "2s"
		}
		spec := events.EndpointSpec{ID: fmt.Sprintf("receiver-%d", i), URL: fmt.Sprintf("%s/%d", server.URL, i), Events: []string{chaosType}, Retry: retry, Timeout: "5s"}
		_, err := c.CreateEndpoint(t.Context(), events.EndpointCreateRequest{Endpoint: spec})
		require.NoError(t, err)
	}
}

// traffic lets events, durable requests and questions for a secret come until the context ends, and returns what waits for the end.
func (s trio) traffic(ctx context.Context, t *testing.T, l *ledger, secretdKey string) func() {
	t.Helper()
	c := s.client(t, "client", s.ports)
	asker := s.client(t, "embedder", s.ports, client.SecretdKey(secretdKey))
	var all sync.WaitGroup
	often := func(every time.Duration, do func(ctx context.Context, n int)) {
		all.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				try, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
				do(try, n)
				cancel()
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	for w := range 4 {
		often(150*time.Millisecond, func(ctx context.Context, n int) {
			id := fmt.Sprintf("chaos-%d-%d", w, n)
			_, err := c.PublishEvent(ctx, events.Event{ID: id, Type: chaosType, Data: []byte(`{"n":1}`)})
			l.note("publish", err, func() { l.events = append(l.events, id) })
		})
	}
	often(300*time.Millisecond, func(ctx context.Context, n int) {
		id, err := c.SubmitEmbed(ctx, fmt.Sprintf("e-%d", n), events.EmbeddingsRequest{Model: "local/hash-384", Input: events.TextInput{fmt.Sprint("text ", n)}})
		l.note("embed", err, func() { l.durables = append(l.durables, id) })
	})
	often(300*time.Millisecond, func(ctx context.Context, n int) {
		id, err := c.SubmitGenerate(ctx, fmt.Sprintf("g-%d", n), events.ChatRequest{Model: "local/echo", Prompt: fmt.Sprint("prompt ", n)})
		l.note("generate", err, func() { l.durables = append(l.durables, id) })
	})
	often(500*time.Millisecond, func(ctx context.Context, _ int) {
		got, err := asker.Secret(ctx, "openai_api_key")
		l.note("secret", err, func() {
			l.secrets++
			if got.Reveal() != canary {
				l.refused["secret that is another"]++
			}
		})
	})
	return all.Wait
}

// lost returns how many deliveries of acked events no receiver took and nobody gave up in the open, and how many were taken twice.
func (l *ledger) lost(dead map[string]bool) (lost, twice int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, got := range l.got {
		for _, id := range l.events {
			if got[id] == 0 && !dead[strconv.Itoa(i)+" "+id] {
				lost++
			}
		}
		for _, n := range got {
			twice += n - 1
		}
	}
	return lost, twice
}

// dead is what was given up, by the number of the receiver and the id of the event.
func dead(t *testing.T, js jetstream.JetStream) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	each(t, js, "MLSDM_DEADLETTERS", "mlsdm.deadletters.deliveries.", func(m jetstream.Msg) {
		subject := m.Subject()
		_, id, _ := strings.Cut(string(m.Data()), `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		all[subject[strings.LastIndexByte(subject, '-')+1:]+" "+id] = true
	})
	return all
}

// results counts the results of each durable request.
func results(t *testing.T, js jetstream.JetStream) map[string]int {
	t.Helper()
	all := map[string]int{}
	each(t, js, "MLSDM_RESULTS", "mlsdm.results.client.", func(m jetstream.Msg) {
		subject := m.Subject()
		all[subject[strings.LastIndexByte(subject, '.')+1:]]++
	})
	return all
}
