package webhooks_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestStrictOrder publishes numbered events to a strictly ordered endpoint that fails at random, while one of two dispatchers
// is killed now and then. They arrive in their order, one at a time, and nothing is tried before all that is older was taken.
func TestStrictOrder(t *testing.T) {
	t.Parallel()
	const (
		eventType = "custom.ordered"
		endpoint  = "ordered"
		ackWait   = 3 * time.Second
	)
	count, kills := 500, 3
	if full() {
		count, kills = 5000, 12
	}
	random := seeded(t)
	s := startStack(t, 2, ackWait)
	to := &queue{random: random, changed: make(chan struct{}, 1)}
	server := httptest.NewServer(to)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.create(t, events.EndpointSpec{
		ID: endpoint, URL: server.URL, Events: []string{eventType}, Ordering: events.OrderingStrict, Timeout: "1s",
		Retry: slices.Repeat([]string{"100ms"}, events.MaxEndpointRetries),
	})
	published := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for n := range count {
			if err := s.publish(ctx, eventType, "ordered-"+strconv.Itoa(n), fmt.Appendf(nil, `{"n":%d}`, n)); err != nil {
				published <- err
				return
			}
		}
		published <- nil
	}()

	hurry := func() { // a dispatcher that starts sets it back
		s.hurry(t, events.Subjects{}.StreamName(events.StreamEvents), events.OrderedConsumer(endpoint), ackWait)
	}
	for k := range kills {
		to.await(t, (k+1)*count/(kills+1), hurry)
		s.killReplica(t, k%len(s.replicas))
	}
	to.await(t, count, hurry)
	require.NoError(t, <-published)
	to.mu.Lock()
	defer to.mu.Unlock()
	require.Empty(t, to.wrong)
	require.LessOrEqual(t, to.repeated, kills, "only what was on its way when a dispatcher was killed may come twice")
	t.Logf("%d events in %d requests; %d failed on purpose, %d came twice after a kill", count, to.requests, to.failed, to.repeated)
}

// queue is a receiver that wants events in their order, and fails at random.
type queue struct {
	mu       sync.Mutex
	random   *rand.Rand
	next     int             // the number of the first event that was not taken
	current  context.Context //nolint:containedctx // of the request that is being answered: whether its sender is still there
	wrong    []string
	requests int
	failed   int
	repeated int
	changed  chan struct{}
}

// ServeHTTP implements [http.Handler].
func (q *queue) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return // the sender died in the middle of it
	}
	number, ok := numberOf(req.Header.Get("webhook-id"))
	if !ok {
		http.Error(w, "not an event of this test", http.StatusBadRequest)
		return
	}
	defer q.leave(req.Context())
	if fail := q.enter(req.Context(), number); fail != nil {
		fail(w, req, 1)
		return
	}
	w.WriteHeader(http.StatusNoContent)
	q.take(number)
}

// enter notes a request, and says how it is to fail, if it is.
func (q *queue) enter(ctx context.Context, number int) (fail answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests++
	if q.current != nil && q.current.Err() == nil {
		q.wrong = append(q.wrong, fmt.Sprintf("event %d came while another was being answered", number))
	}
	q.current = ctx
	if number != q.next && number != q.next-1 { // the last one may come again: who sent it was killed
		q.wrong = append(q.wrong, fmt.Sprintf("event %d came when it was the turn of %d", number, q.next))
	}
	failures := []answer{refuse, hangUp, refuse, hangUp, refuse, hangUp, hang}
	if i := q.random.IntN(200); i < len(failures) {
		q.failed++
		return failures[i]
	}
	return nil
}

// take notes that an event was taken.
func (q *queue) take(number int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if number == q.next {
		q.next++
	} else {
		q.repeated++
	}
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// leave notes that a request is answered.
func (q *queue) leave(ctx context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.current == ctx { // a dead sender's may end later
		q.current = nil
	}
}

// await waits until n events were taken, and does something again and again meanwhile.
func (q *queue) await(t *testing.T, n int, meanwhile func()) {
	t.Helper()
	var news watch
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		q.mu.Lock()
		taken, wrong := q.next, slices.Clone(q.wrong)
		q.mu.Unlock()
		require.Empty(t, wrong)
		if taken >= n {
			return
		}
		news.check(t, taken, "events in their order")
		select {
		case <-q.changed:
		case <-tick.C:
			meanwhile()
		}
	}
}
