package bench_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// rounds is how often each throughput is measured. The best counts, of ours as of the ceiling: a busy neighbour only takes.
const rounds = 3

// throughput is how many webhooks a second, and what one costs.
type throughput struct {
	name   string
	rates  []float64     // of each round
	best   float64       // the highest of them; what follows is of that round
	each   usage         // CPU time a webhook
	others float64       // cores that others used
	wall   time.Duration // that the round took
}

// add adds a round.
func (t *throughput) add(rate float64, webhooks int, used usage, wall time.Duration) {
	t.rates = append(t.rates, rate)
	if rate <= t.best {
		return
	}
	n := time.Duration(webhooks)
	t.best, t.wall, t.others = rate, wall, used.others().Seconds()/wall.Seconds()
	t.each = usage{nats: used.nats / n, dispatchers: used.dispatchers / n, self: used.self / n, sink: used.sink / n}
}

// ours is the CPU time a webhook of everything but the sink.
func (t *throughput) ours() time.Duration { return t.each.nats + t.each.dispatchers + t.each.self }

// ceiling adds a round of what a bare client does: sign 1 KiB and post it, on 64 connections that stay open.
func (s *stack) ceiling(b *testing.B, t *throughput) {
	b.Helper()
	const connections, posts = 64, 40_000
	hook, err := webhook.New(secret)
	require.NoError(b, err)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	body := []byte(`{"type":"custom.bench","timestamp":"` + time.Now().UTC().Format(time.RFC3339Nano) + `","data":{"n":0,"sent":0,"padding":"`)
	body = append(append(body, bytes.Repeat([]byte("x"), eventSize-len(body)-3)...), `"}}`...)
	s.reset(b, 1, 1)
	before, start := s.usage(b), time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			for n := next.Add(1); n <= posts; n = next.Add(1) {
				if err := post(b.Context(), client, hook, s.sinkURL+"/ok/0", n, body); err != nil {
					b.Errorf("the ceiling: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	wall := time.Since(start)
	t.add(posts/wall.Seconds(), posts, s.usage(b).since(before), wall)
}

// post posts one signed webhook.
func post(ctx context.Context, client *http.Client, hook *webhook.Webhook, url string, n int64, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if req.Header, err = hook.Sign("msg_"+strconv.FormatInt(n, 10), time.Now(), body); err != nil {
		return err
	}
	req.Header.Set("Content-Type", events.ContentTypeJSON)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// deliver adds a round of events published as fast as JetStream takes them, from the first publish to the last webhook.
func (s *stack) deliver(b *testing.B, t *throughput, eventType string, endpoints, count int) {
	b.Helper()
	s.reset(b, endpoints, count)
	p := s.publisher(eventType)
	before, start := s.usage(b), time.Now()
	p.publish(b, count)
	got := s.await(b, endpoints*count)
	wall := time.Unix(0, got.Last).Sub(start)
	s.settle(b)
	t.add(float64(endpoints*count)/wall.Seconds(), endpoints*count, s.usage(b).since(before), time.Since(start))
}

// drain adds a round of a dispatcher that starts with a full queue: everything was routed, and nothing delivered, while the
// workers' consumer was paused. It is from the first webhook to the last.
func (s *stack) drain(b *testing.B, t *throughput, eventType string, count int) {
	b.Helper()
	s.reset(b, 1, count)
	stream := events.Subjects{}.StreamName(events.StreamDeliveries)
	_, err := s.js.PauseConsumer(b.Context(), stream, events.ConsumerWorkers, time.Now().Add(time.Hour))
	require.NoError(b, err)
	s.publisher(eventType).publish(b, count)
	eventually(b, "a full queue", func() bool {
		queue, err := s.js.Stream(b.Context(), stream)
		require.NoError(b, err)
		return queue.CachedInfo().State.Msgs == uint64(count)
	})
	s.stopDispatchers(b)
	_, err = s.js.ResumeConsumer(b.Context(), stream, events.ConsumerWorkers)
	require.NoError(b, err)
	s.restart(b, t, count)
}

// catchUp adds a round of a dispatcher that starts after events were published without it: it routes them, too.
func (s *stack) catchUp(b *testing.B, t *throughput, eventType string, count int) {
	b.Helper()
	s.stopDispatchers(b)
	s.reset(b, 1, count)
	s.publisher(eventType).publish(b, count)
	s.restart(b, t, count)
}

// restart adds a round of a dispatcher from its first webhook to the last of those that wait.
func (s *stack) restart(b *testing.B, t *throughput, count int) {
	b.Helper()
	before, start := s.usage(b), time.Now()
	s.startDispatchers(b, 1)
	got := s.await(b, count)
	wall := time.Duration(got.Last - got.First)
	s.settle(b)
	t.add(float64(count-1)/wall.Seconds(), count, s.usage(b).since(before), time.Since(start))
}

// settle waits until everything is acked, and its attempts are on record. It counts, for it is work too.
func (s *stack) settle(b *testing.B) {
	b.Helper()
	eventually(b, "the end of all deliveries", func() bool {
		consumer, err := s.js.Consumer(b.Context(), events.Subjects{}.StreamName(events.StreamDeliveries), events.ConsumerWorkers)
		require.NoError(b, err)
		info := consumer.CachedInfo()
		return info.NumPending == 0 && info.NumAckPending == 0
	})
}
