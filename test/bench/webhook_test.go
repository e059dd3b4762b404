package bench_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	rate     = 200 // events a second, open loop: the next is sent when its time has come, whatever became of the last
	count    = 1000
	warmUp   = 100
	bodySize = 1024
)

// BenchmarkPublishToWebhook measures from just before an event is published until the receiver has its webhook, at 200
// events of 1 KiB a second. The floor is what any such path must at least do: store the event in JetStream, hand it to one
// consumer, post it; no routing, no signature, no second queue, no record of the attempt.
func BenchmarkPublishToWebhook(b *testing.B) {
	s := bustest.Start(b)
	receiver := newSink(b)
	run(b, s, events.ServiceDispatcher, map[string]string{
		"WEBHOOK_URL": receiver.URL, "WEBHOOK_SECRET": "bench-secret", "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8", "WEBHOOK_EVENTS": "custom.bench",
	})
	js, err := jetstream.New(s.Conn(b))
	require.NoError(b, err)

	floorSink := newSink(b)
	startFloor(b, js, floorSink.URL)

	ours := measure(b, js, receiver, "mlsdm.events.custom.bench")
	floor := measure(b, js, floorSink, "floor.events")
	report(b, ours, floor)
}

// startFloor consumes the stream FLOOR and posts each message.
func startFloor(b *testing.B, js jetstream.JetStream, url string) {
	b.Helper()
	_, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "FLOOR", Subjects: []string{"floor.>"}})
	require.NoError(b, err)
	consumer, err := js.CreateConsumer(b.Context(), "FLOOR", jetstream.ConsumerConfig{Durable: "floor", AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(b, err)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	consuming, err := consumer.Consume(func(msg jetstream.Msg) {
		go func() {
			resp, err := client.Post(url, "application/json", bytes.NewReader(msg.Data())) //nolint:noctx // ends with the receiver
			if err != nil {
				b.Errorf("floor: %v", err)
				return
			}
			if err := resp.Body.Close(); err != nil {
				b.Errorf("floor: %v", err)
			}
			if err := msg.Ack(); err != nil {
				b.Errorf("floor: %v", err)
			}
		}()
	})
	require.NoError(b, err)
	b.Cleanup(consuming.Stop)
}

// measure publishes at the fixed rate and returns the time that each event took to the receiver.
func measure(b *testing.B, js jetstream.JetStream, receiver *sink, subject string) []time.Duration {
	b.Helper()
	sent := make([]time.Time, warmUp+count)
	took := make([]time.Duration, 0, len(sent))
	done := make(chan struct{})
	receiver.onHeard(func(body []byte, at time.Time) {
		var n int
		i := bytes.Index(body, []byte(`"n":`))
		if i < 0 {
			return
		}
		if _, err := fmt.Sscanf(string(body[i:]), `"n":%d`, &n); err != nil {
			b.Errorf("the receiver cannot read its event: %v", err)
			return
		}
		if took = append(took, at.Sub(sent[n])); len(took) == len(sent) {
			close(done)
		}
	})
	defer receiver.onHeard(nil)
	padding := strings.Repeat("x", bodySize)
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	for n := range sent {
		<-tick.C
		body, err := json.Marshal(map[string]any{"n": n, "padding": padding})
		require.NoError(b, err)
		receiver.mu.Lock() // the receiver reads it
		sent[n] = time.Now()
		receiver.mu.Unlock()
		_, err = js.PublishAsync(subject, body)
		require.NoError(b, err)
	}
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		b.Fatalf("only %d of %d events arrived on %s", len(took), len(sent), subject)
	}
	return took[warmUp:]
}
