package dispatcher_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// verify checks a webhook with the official library, and with the rule of the Python client.
func verify(t *testing.T, sharedSecret string, h hit) {
	t.Helper()
	standard, err := webhook.StandardSecret(sharedSecret)
	require.NoError(t, err)
	official, err := standardwebhooks.NewWebhook(standard)
	require.NoError(t, err)
	require.NoError(t, official.Verify(h.body, h.header))

	mac := hmac.New(sha256.New, []byte(sharedSecret))
	mac.Write(h.body)
	require.Equal(t, "sha256="+hex.EncodeToString(mac.Sum(nil)), h.header.Get("X-Webhook-Signature"))
}

func TestEventIsDeliveredSigned(t *testing.T) {
	t.Parallel()
	for _, sharedSecret := range []string{testSecret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		t.Run(sharedSecret, func(t *testing.T) {
			t.Parallel()
			srv := bustest.Start(t)
			to := newReceiver(t, nil)
			cfg := config(to.url)
			cfg.Secret = secret.NewValue(sharedSecret)
			r := run(t, srv, cfg)
			ev := events.Event{
				ID: events.NewID(), Source: "/mlsdm/ciwatch", Type: events.TypeCIDegraded, Time: time.Now().UTC(),
				Data: []byte(`{"failures":3}`), TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			}
			_, err := r.bus.PublishEvent(t.Context(), ev)
			require.NoError(t, err)

			h := to.next(t)
			verify(t, sharedSecret, h)
			require.Equal(t, ev.ID, h.id)
			require.Contains(t, h.header.Get("traceparent"), "-0af7651916cd43dd8448eb211c80319c-")
			require.Equal(t, "mlsdm-webhooks/1.2.3", h.header.Get("User-Agent"))
			require.Equal(t, "application/json", h.header.Get("Content-Type"))
			require.JSONEq(t, `{"type":"ci.degraded","timestamp":"`+ev.Time.Format(time.RFC3339Nano)+`","data":{"failures":3}}`, string(h.body))
			settled(t, srv)
			require.Zero(t, stored(t, srv, "MLSDM_DEADLETTERS"))
			r.stop()
			require.InDelta(t, 1, r.counted(t, "mlsdm_webhook_deliveries_total", "endpoint", "default"), 0)
			require.InDelta(t, 1, r.counted(t, "mlsdm_webhook_attempts_total", "outcome", "delivered"), 0)
			require.InDelta(t, 1, r.counted(t, "mlsdm_webhook_delivery_seconds", "endpoint", "default"), 0)
		})
	}
}

// TestAnyoneCanPublish: bare data, binary mode, text, and a type nobody knows.
func TestAnyoneCanPublish(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	run(t, srv, config(to.url))
	nc := srv.Conn(t)
	for data, want := range map[string]string{
		`{"version":"1.2.3"}`: `{"version":"1.2.3"}`,
		`hello`:               `"hello"`,
		``:                    `null`,
		`{"specversion":"1.0","id":"mine.1","source":"/x","type":"custom.deploy","data":[1]}`: `[1]`,
	} {
		require.NoError(t, nc.Publish("mlsdm.events.custom.deploy", []byte(data)))
		h := to.next(t)
		verify(t, testSecret, h)
		got := decode[map[string]any](t, h.body)
		require.Equal(t, "custom.deploy", got["type"])
		wanted := decode[any](t, []byte(want))
		require.Equal(t, wanted, got["data"])
		require.NotContains(t, h.id, ".")
	}
}

func TestFailedAttemptsAreRepeated(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		if n <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	cfg := config(to.url)
	cfg.Retry = waits(2, 1500*time.Millisecond) // so that the timestamps differ
	attempts := listen(t, srv, "mlsdm.attempts.default")
	r := run(t, srv, cfg)
	ev := publish(t, r.bus, "custom.deploy", "event-1")

	var stamps []int64
	for range 3 {
		h := to.next(t)
		verify(t, testSecret, h)
		require.Equal(t, ev.ID, h.id)
		stamp, err := strconv.ParseInt(h.header.Get("webhook-timestamp"), 10, 64)
		require.NoError(t, err)
		stamps = append(stamps, stamp)
	}
	require.Less(t, stamps[0], stamps[1])
	require.Less(t, stamps[1], stamps[2])
	settled(t, srv)

	var records []events.DeliveryAttempt
	for len(records) < 3 {
		records = append(records, decode[[]events.DeliveryAttempt](t, attempts().body)...)
	}
	for i, outcome := range []string{events.AttemptRetry, events.AttemptRetry, events.AttemptDelivered} {
		require.Equal(t, i+1, records[i].Attempt)
		require.Equal(t, outcome, records[i].Outcome)
		require.Equal(t, ev.ID, records[i].EventID)
		require.Equal(t, records[0].DeliveryID, records[i].DeliveryID)
		require.Equal(t, outcome == events.AttemptRetry, !records[i].NextAt.IsZero())
	}
	require.Equal(t, 503, records[0].Status)
	require.Contains(t, records[0].Error, "503")
}

func TestRetryAfterIsAFloor(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		if n == 1 {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	r := run(t, srv, config(to.url))
	publish(t, r.bus, "custom.deploy", "event-1")
	to.next(t)
	began := time.Now()
	to.next(t)
	require.Greater(t, time.Since(began), 2900*time.Millisecond)
}

// TestWaitingDeliveriesHoldNoWorker: with two workers, a delivery that waits for its next attempt delays nobody.
func TestWaitingDeliveriesHoldNoWorker(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, func(w http.ResponseWriter, h hit, _ int) {
		if h.id == "bad" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	cfg := config(to.url)
	cfg.Workers, cfg.Retry = 2, waits(2, time.Hour)
	r := run(t, srv, cfg)
	publish(t, r.bus, "custom.deploy", "bad")
	require.Equal(t, "bad", to.next(t).id)
	publish(t, r.bus, "custom.deploy", "good")
	require.Equal(t, "good", to.next(t).id)
	eventually(t, srv, "MLSDM_DELIVERIES", 0)
	eventually(t, srv, "MLSDM_WAITING", 1)
}

// TestSlowReceiverIsLeft: an attempt ends at its timeout and is repeated.
func TestSlowReceiverIsLeft(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	left := make(chan struct{}, 1)
	server := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		if n > 1 {
			return
		}
		// The sender is gone when nothing can be written any more.
		for {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				left <- struct{}{}
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				left <- struct{}{}
				return
			}
		}
	})
	cfg := config(server.url)
	cfg.Timeout = 200 * time.Millisecond
	r := run(t, srv, cfg)
	publish(t, r.bus, "custom.deploy", "event-1")
	<-left // an endless answer is a 200: it is taken for delivered, and left
	settled(t, srv)

	silent := make(chan struct{})
	mute := newReceiver(t, func(_ http.ResponseWriter, _ hit, n int) {
		if n == 1 {
			<-silent
		}
	})
	t.Cleanup(func() { close(silent) })
	r.stop()
	cfg.URL = secret.NewValue(mute.url)
	r = run(t, srv, cfg)
	publish(t, r.bus, "custom.deploy", "event-2")
	require.Equal(t, "event-2", mute.next(t).id) // the second attempt: the first is still kept waiting
}

func TestSameEventIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	r := run(t, srv, config(to.url))
	nc := srv.Conn(t)
	for range 5 { // without Nats-Msg-Id: the events stream keeps all five
		require.NoError(t, nc.Publish("mlsdm.events.custom.deploy",
			[]byte(`{"specversion":"1.0","id":"same","source":"/x","type":"custom.deploy"}`)))
	}
	require.NoError(t, nc.Publish("mlsdm.events.custom.deploy",
		[]byte(`{"specversion":"1.0","id":"same","source":"/y","type":"custom.deploy"}`)))
	eventually(t, srv, "MLSDM_EVENTS", 6)
	publish(t, r.bus, "custom.last", "last")
	r.stop()
	r = run(t, srv, config(to.url))
	got := map[string]int{}
	for got["last"] == 0 { // what was published before it has been routed by then
		got[to.next(t).id]++
	}
	settled(t, srv)
	r.stop()
	close(to.hits)
	for h := range to.hits {
		got[h.id]++
	}
	require.Equal(t, map[string]int{"same": 2, "last": 1}, got, "once from /x, once from /y")
}

func TestPatternsChoose(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	cfg := config(to.url)
	cfg.Events = []string{"ci.*", "custom.deploy"}
	r := run(t, srv, cfg)
	publish(t, r.bus, "custom.other", "1")
	publish(t, r.bus, "custom.deploy", "2")
	publish(t, r.bus, "ci.a.b", "3")
	publish(t, r.bus, "ci.degraded", "4")
	got := map[string]bool{to.next(t).id: true, to.next(t).id: true}
	require.Equal(t, map[string]bool{"2": true, "4": true}, got)
	r.stop()
	require.Empty(t, to.hits)
}
