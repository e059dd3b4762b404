package sender_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/endpoint"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

const (
	canary      = "s3cret-canary"
	traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

func testDelivery() delivery.Delivery {
	ev := events.Event{
		ID: "0195f2c8", Source: "/mlsdm/ciwatch", Type: "ci.degraded", Time: time.Unix(1_700_000_000, 0),
		DataContentType: "application/json", Data: []byte(`{"failures":3}`),
	}
	return delivery.New(ev, "default", time.Now())
}

// newSender may post to loopback.
func newSender(t *testing.T, timeout time.Duration) *sender.Sender {
	t.Helper()
	networks, err := egress.ParseNetworks([]string{"127.0.0.0/8"})
	require.NoError(t, err)
	guard, err := egress.NewGuard(egress.Policy{Setting: "WEBHOOK_ALLOW_NETWORKS", Networks: networks})
	require.NoError(t, err)
	return sender.New(guard.Client(egress.ClientOptions{MaxIdle: 4}), timeout, "mlsdm-webhooks/test")
}

func target(t *testing.T, rawURL string) endpoint.Endpoint {
	t.Helper()
	u, err := endpoint.ParseURL(rawURL)
	require.NoError(t, err)
	hook, err := webhook.New(canary)
	require.NoError(t, err)
	return endpoint.Endpoint{ID: "default", URL: u, Hook: hook}
}

// receiver answers each request with handler.
func receiver(t *testing.T, handler http.HandlerFunc) endpoint.Endpoint {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return target(t, server.URL+"/hook?token="+canary)
}

func TestSendIsSignedTwice(t *testing.T) {
	t.Parallel()
	hook, err := webhook.New(canary)
	require.NoError(t, err)
	var got *http.Request
	var body []byte
	to := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "thanks")
	})
	result := newSender(t, time.Minute).Send(t.Context(), to, testDelivery(), traceParent)
	require.NoError(t, result.Err)
	require.Equal(t, http.StatusAccepted, result.Status)
	require.Equal(t, "thanks", result.Response)
	require.Positive(t, result.Latency)

	require.NoError(t, hook.Verify(got.Header, body))
	require.NoError(t, hook.VerifyBody(got.Header, body))
	require.JSONEq(t, `{"type":"ci.degraded","timestamp":"2023-11-14T22:13:20Z","data":{"failures":3}}`, string(body))
	require.Equal(t, http.MethodPost, got.Method)
	require.Equal(t, "token="+canary, got.URL.RawQuery)
	for name, want := range map[string]string{
		"webhook-id": "0195f2c8", "content-type": "application/json", "user-agent": "mlsdm-webhooks/test", "traceparent": traceParent,
		"content-length": strconv.Itoa(len(body)), "accept-encoding": "", "webhook-timestamp": strconv.FormatInt(result.At.Unix(), 10),
	} {
		require.Equal(t, want, got.Header.Get(name), name)
	}
}

func TestSendJudgesByStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status     int
		retryAfter string
		ok         bool
		permanent  bool
		after      time.Duration
	}{
		{status: 200, ok: true},
		{status: 204, ok: true},
		{status: 299, ok: true},
		{status: 300},
		{status: 301},
		{status: 302},
		{status: 304},
		{status: 307},
		{status: 400},
		{status: 401},
		{status: 404, retryAfter: "9"},
		{status: 410, permanent: true},
		{status: 410, retryAfter: "9", permanent: true},
		{status: 429, retryAfter: "9", after: 9 * time.Second},
		{status: 429},
		{status: 429, retryAfter: "rubbish"},
		{status: 429, retryAfter: "86400", after: time.Hour},
		{status: 500, retryAfter: "9"},
		{status: 502, retryAfter: "9", after: 9 * time.Second},
		{status: 503, retryAfter: "9", after: 9 * time.Second},
		{status: 504, retryAfter: "9", after: 9 * time.Second},
		{status: 599},
		{status: 999},
	}
	for _, tt := range tests {
		t.Run(strconv.Itoa(tt.status)+tt.retryAfter, func(t *testing.T) {
			t.Parallel()
			to := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				w.Header().Set("Location", "https://example.com/")
				w.WriteHeader(tt.status)
			})
			result := newSender(t, time.Minute).Send(t.Context(), to, testDelivery(), "")
			require.Equal(t, tt.status, result.Status)
			if tt.ok {
				require.NoError(t, result.Err)
				return
			}
			var status *sender.StatusError
			require.ErrorAs(t, result.Err, &status)
			require.ErrorContains(t, result.Err, strconv.Itoa(tt.status))
			require.Equal(t, tt.permanent, retry.IsPermanent(result.Err))
			after, asked := retry.Delay(result.Err)
			require.Equal(t, tt.after, after)
			require.Equal(t, tt.after > 0, asked)
		})
	}
}

func TestSendDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	silent := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices the client's going
		<-r.Context().Done()
	})
	result := newSender(t, 50*time.Millisecond).Send(t.Context(), silent, testDelivery(), "")
	require.ErrorIs(t, result.Err, context.DeadlineExceeded)
	require.False(t, retry.IsPermanent(result.Err))
	require.ErrorContains(t, result.Err, "50ms")

	// An answer that dribbles is an answer by its status, and is not read to its end.
	dribbling := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "beginning")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	result = newSender(t, 50*time.Millisecond).Send(t.Context(), dribbling, testDelivery(), "")
	require.NoError(t, result.Err)
	require.Equal(t, "beginning", result.Response)
	require.Less(t, result.Latency, 10*time.Second)
}

func TestSendIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	to := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	result := newSender(t, time.Minute).Send(ctx, to, testDelivery(), "")
	require.ErrorIs(t, result.Err, context.Canceled)
	require.False(t, retry.IsPermanent(result.Err))
}

func TestSendKeepsLittleOfTheAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"long":          strings.Repeat("x", 10<<20),
		"not UTF-8":     "a\xff\xfeb",
		"cut in a rune": strings.Repeat("x", 1023) + "ы" + strings.Repeat("x", 100),
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = io.WriteString(w, answer)
			})
			result := newSender(t, time.Minute).Send(t.Context(), to, testDelivery(), "")
			require.Error(t, result.Err)
			require.NotEmpty(t, result.Response)
			require.LessOrEqual(t, len(result.Response), 1026)
			require.NoError(t, events.CheckText([]byte(result.Response)))
		})
	}
}

func TestSendKeepsLittleOfAnUnreadableAnswer(t *testing.T) {
	t.Parallel()
	to := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return // there is no answer, and the test fails
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, strings.Repeat("\x00", 60_000)+"\r\n\r\n")
	})
	result := newSender(t, 10*time.Second).Send(t.Context(), to, testDelivery(), "")
	require.ErrorContains(t, result.Err, "malformed")
	require.Less(t, len(result.Err.Error()), 1<<10)
	require.False(t, retry.IsPermanent(result.Err))
}

func TestSendToBlockedAddress(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it got through") }))
	t.Cleanup(server.Close)
	guard, err := egress.NewGuard(egress.Policy{Setting: "WEBHOOK_ALLOW_NETWORKS"})
	require.NoError(t, err)
	guarded := sender.New(guard.Client(egress.ClientOptions{}), time.Minute, "test")
	for _, host := range []string{"localhost", "127.0.0.1", "[::ffff:127.0.0.1]"} {
		_, port, err := net.SplitHostPort(server.Listener.Addr().String())
		require.NoError(t, err)
		result := guarded.Send(t.Context(), target(t, "http://"+host+":"+port), testDelivery(), "")
		require.ErrorIs(t, result.Err, egress.ErrBlocked)
		require.ErrorContains(t, result.Err, "WEBHOOK_ALLOW_NETWORKS")
		require.True(t, retry.IsPermanent(result.Err))
		require.Zero(t, result.Status)
	}
}

// TestErrorsTellNoSecret: neither the URL nor the signing secret is in what is stored and logged.
func TestErrorsTellNoSecret(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	for _, rawURL := range []string{
		"http://" + address + "/" + canary + "?token=" + canary,
		"https://" + address + "/" + canary,
		"http://user:" + canary + "@" + address,
		"http://nowhere.invalid/" + canary,
		"http://10.0.0.1/" + canary,
	} {
		result := newSender(t, 5*time.Second).Send(t.Context(), target(t, rawURL), testDelivery(), "")
		require.Error(t, result.Err)
		require.NotContains(t, result.Err.Error(), canary)
	}
}

func TestTraceParentIsPassedOnOnlyIfItIsOne(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 1)
	to := receiver(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Get("traceparent") })
	s := newSender(t, time.Minute)
	for value, want := range map[string]string{
		traceParent: traceParent, "": "", "rubbish": "", strings.ToUpper(traceParent): "", traceParent + "\r\nX-Evil: 1": "", "ы": "",
	} {
		require.NoError(t, s.Send(t.Context(), to, testDelivery(), value).Err)
		require.Equal(t, want, <-seen)
	}
}
