package sender_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

// canary stands wherever a secret may: in the URL, in headers.
const canary = "s3cret-canary"

func policy() egress.Policy {
	return egress.Policy{
		Setting:  "WEBHOOK_ALLOW_NETWORKS",
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Resolver: names{"receiver.example": netip.MustParseAddr("127.0.0.1"), "inner.example": netip.MustParseAddr("10.0.0.1")},
	}
}

// names is a resolver that knows a few names.
type names map[string]netip.Addr

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	addr, ok := n[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, Server: "10.9.8.7:53", IsNotFound: true}
	}
	return []netip.Addr{addr}, nil
}

// newClient may post to loopback.
func newClient(t testing.TB, config *tls.Config) *http.Client {
	t.Helper()
	guard, err := egress.NewGuard(policy())
	require.NoError(t, err)
	client := guard.Client(egress.ClientOptions{MaxIdle: 64, TLS: config})
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

// request is a webhook to the given URL.
func request(t testing.TB, address string) sender.Request {
	t.Helper()
	return sender.Request{
		Client: newClient(t, nil), URL: mustURL(t, address), Body: []byte(`{"type":"ci.degraded"}`), Timeout: 30 * time.Second,
		Header: []egress.Field{
			{Name: "Content-Type", Value: "application/json"},
			{Name: "User-Agent", Value: "mlsdm-webhooks/test"},
			{Name: "Webhook-Id", Value: "evt_1"},
			{Name: "Webhook-Timestamp", Value: "1700000000"},
			{Name: "Webhook-Signature", Value: "v1," + canary},
			{Name: "X-Webhook-Signature", Value: canary},
			{Name: "X-Api-Key", Value: canary},
			{Name: "Authorization", Value: canary},
			{Name: "X-Tenant", Value: "a"},
			{Name: "X-Tenant", Value: "b"},
		},
		Hidden: []string{"X-API-Key"},
	}
}

// serve answers each request with handler. It returns the URL.
func serve(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// serveTLS is serve over TLS.
func serveTLS(t *testing.T, config *tls.Config, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = config
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// serveRaw reads each request whole and leaves the rest to answer, which has the connection for itself.
func serveRaw(t *testing.T, answer func(c *net.TCPConn)) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			tcp, ok := c.(*net.TCPConn)
			if !ok {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(tcp)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				answer(tcp)
			}
			_ = tcp.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}

// says returns an answer that writes texts and ends the connection.
func says(texts ...string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		for _, text := range texts {
			if _, err := io.WriteString(c, text); err != nil {
				return // the sender has heard enough
			}
		}
	}
}
