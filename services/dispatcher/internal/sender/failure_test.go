package sender_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/egress/egresstest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

// hang answers nothing until the sender goes.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // so that the server notices the sender's going
	<-r.Context().Done()
}

// reset ends a connection as a crash does.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// TestFailures has one row for each way in which there is no answer.
func TestFailures(t *testing.T) {
	t.Parallel()
	ca, other := egresstest.NewAuthority(t), egresstest.NewAuthority(t)
	day := time.Now().Add(24 * time.Hour)
	trusting := &tls.Config{RootCAs: ca.Pool()}
	served := func(t *testing.T, cert tls.Certificate, change func(*tls.Config)) string {
		t.Helper()
		config := &tls.Config{Certificates: []tls.Certificate{cert}}
		if change != nil {
			change(config)
		}
		return serveTLS(t, config, func(http.ResponseWriter, *http.Request) {})
	}
	tests := []struct {
		name    string
		url     string
		http    http.HandlerFunc
		raw     func(*net.TCPConn)
		made    func(t *testing.T) string
		change  func(*sender.Request)
		verdict sender.Verdict
		class   string
		says    string
	}{
		{
			name: "a receiver that hangs", http: hang,
			change: func(r *sender.Request) { r.Timeout = 50 * time.Millisecond }, verdict: sender.Retry, class: events.ErrorClassTimeout, says: "no answer within 50ms",
		},
		{name: "a header that drips", raw: func(c *net.TCPConn) {
			says("HTTP/1.1 200 OK\r\nX-Slow: ")(c)
			_, _ = c.Read(make([]byte, 1)) // until the sender goes
		}, change: func(r *sender.Request) { r.Timeout = 50 * time.Millisecond }, verdict: sender.Retry, class: events.ErrorClassTimeout},
		{name: "a reset before the answer", raw: reset, verdict: sender.Retry, class: events.ErrorClassReset},
		{name: "an end before the answer", raw: says(), verdict: sender.Retry, class: events.ErrorClassReset},
		{name: "half a header", raw: says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), verdict: sender.Retry, class: events.ErrorClassReset},
		{name: "half a first line", raw: says("HTTP/1.1 20"), verdict: sender.Retry, class: events.ErrorClassProtocol},
		{name: "no HTTP", raw: says("220 mail.example ESMTP " + canary + "\r\n"), verdict: sender.Retry, class: events.ErrorClassProtocol},
		{name: "our own request", raw: says("POST /?token=" + canary + " HTTP/1.1\r\n\r\n"), verdict: sender.Retry, class: events.ErrorClassProtocol},
		{name: "our own header", raw: says("HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n"), verdict: sender.Retry, class: events.ErrorClassProtocol},
		{name: "a length that is none", raw: says("HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n"), verdict: sender.Retry, class: events.ErrorClassProtocol},
		{name: "a coding that is none", raw: says("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canary + "\r\n\r\n"), verdict: sender.Retry, class: events.ErrorClassProtocol},
		{name: "zeros without end", raw: says(strings.Repeat("\x00", 1<<20)), verdict: sender.Retry, class: events.ErrorClassProtocol},
		{name: "a huge header", raw: says("HTTP/1.1 200 OK\r\n", strings.Repeat("X-Long: "+strings.Repeat("x", 1000)+"\r\n", 1000)), verdict: sender.Retry, class: events.ErrorClassProtocol, says: "too long"},
		{name: "informational answers without end", raw: says(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10_000)), verdict: sender.Retry, class: events.ErrorClassProtocol},
		{name: "nobody there", made: func(t *testing.T) string {
			t.Helper()
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
			require.NoError(t, err)
			require.NoError(t, listener.Close())
			return "http://" + listener.Addr().String()
		}, verdict: sender.Retry, class: events.ErrorClassConnect, says: "refused"},
		{name: "no such name", url: "https://nowhere.example", verdict: sender.Retry, class: events.ErrorClassDNS, says: "no such host"},

		{name: "an expired certificate", made: func(t *testing.T) string {
			t.Helper()
			return served(t, ca.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour)), nil)
		}, verdict: sender.Retry, class: events.ErrorClassTLS, says: "expired"},
		{name: "another's certificate", made: func(t *testing.T) string { t.Helper(); return served(t, ca.Issue(t, "127.0.0.9", day), nil) }, verdict: sender.Retry, class: events.ErrorClassTLS, says: "127.0.0.9"},
		{name: "an unknown authority", made: func(t *testing.T) string { t.Helper(); return served(t, other.Issue(t, "127.0.0.1", day), nil) }, verdict: sender.Retry, class: events.ErrorClassTLS, says: "unknown authority"},
		{name: "TLS 1.1 only", made: func(t *testing.T) string {
			t.Helper()
			return served(t, ca.Issue(t, "127.0.0.1", day), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
		}, verdict: sender.Retry, class: events.ErrorClassTLS, says: "version"},
		{name: "a client certificate wanted, TLS 1.3", made: func(t *testing.T) string {
			t.Helper()
			return served(t, ca.Issue(t, "127.0.0.1", day), func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert })
		}, verdict: sender.Retry, class: events.ErrorClassTLS, says: "certificate required"},
		{name: "a client certificate wanted, TLS 1.2", made: func(t *testing.T) string {
			t.Helper()
			return served(t, ca.Issue(t, "127.0.0.1", day), func(c *tls.Config) {
				c.ClientAuth, c.MaxVersion = tls.RequireAndVerifyClientCert, tls.VersionTLS12
			})
		}, verdict: sender.Retry, class: events.ErrorClassTLS},
		{name: "no TLS at all", made: func(t *testing.T) string { t.Helper(); return strings.Replace(serve(t, hang), "http:", "https:", 1) }, verdict: sender.Retry, class: events.ErrorClassTLS},

		{name: "an inner address", url: "https://10.0.0.1", verdict: sender.Misconfigured, class: events.ErrorClassBlocked, says: "WEBHOOK_ALLOW_NETWORKS"},
		{name: "a name that leads inside", url: "https://inner.example", verdict: sender.Misconfigured, class: events.ErrorClassBlocked, says: "a private address"},
		{name: "plain http to the public", url: "http://93.184.216.34", verdict: sender.Misconfigured, class: events.ErrorClassBlocked, says: "plain http"},
		{name: "no client", url: "https://example.com", change: func(r *sender.Request) { r.Client = nil }, verdict: sender.Misconfigured, class: events.ErrorClassEndpoint},
		{name: "no transport", url: "https://example.com", change: func(r *sender.Request) { r.Client = &http.Client{} }, verdict: sender.Misconfigured, class: events.ErrorClassEndpoint},
		{name: "no URL", url: "", verdict: sender.Misconfigured, class: events.ErrorClassEndpoint},
		{name: "a URL with a password", url: "https://user:" + canary + "@127.0.0.1", verdict: sender.Misconfigured, class: events.ErrorClassEndpoint},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := tt.url
			switch {
			case tt.http != nil:
				address = serve(t, tt.http)
			case tt.raw != nil:
				address = serveRaw(t, tt.raw)
			case tt.made != nil:
				address = tt.made(t)
			}
			if address != "" {
				address += "/" + canary + "?token=" + canary
			}
			r := request(t, address)
			r.Client = newClient(t, trusting)
			if tt.change != nil {
				tt.change(&r)
			}
			result := sender.Send(t.Context(), r)
			require.Equal(t, tt.verdict, result.Verdict, "%v", result.Err)
			require.Equal(t, tt.class, result.Class, "%v", result.Err)
			require.Zero(t, result.Status)
			require.Error(t, result.Err)
			require.ErrorContains(t, result.Err, tt.says)
			require.NotContains(t, result.Err.Error(), canary)
			require.NotContains(t, result.Err.Error(), "10.9.8.7", "our name server is nobody's business")
			require.NotContains(t, result.Err.Error(), "\x00")
			require.Less(t, len(result.Err.Error()), 600)
			require.Less(t, result.Latency, 20*time.Second)
		})
	}
}

// asleep is a resolver that says nothing before it is told to stop.
type asleep struct{}

func (asleep) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestNoConnectionInTime: the timeout of an attempt bounds the making of its connection, and is told from the end of the caller.
func TestNoConnectionInTime(t *testing.T) {
	t.Parallel()
	guard, err := egress.NewGuard(egress.Policy{Resolver: asleep{}})
	require.NoError(t, err)
	r := request(t, "https://receiver.example")
	r.Client, r.Timeout = guard.Client(egress.ClientOptions{}), 50*time.Millisecond
	result := sender.Send(t.Context(), r)
	require.Equal(t, sender.Retry, result.Verdict)
	require.Equal(t, events.ErrorClassTimeout, result.Class)
	require.ErrorContains(t, result.Err, "no connection within 50ms")
	require.ErrorIs(t, result.Err, context.DeadlineExceeded)
	require.NotEmpty(t, result.Sent)

	ctx, cancel := context.WithCancel(t.Context())
	r.Timeout = time.Hour
	go cancel()
	result = sender.Send(ctx, r)
	require.Equal(t, sender.Interrupted, result.Verdict)
	require.ErrorIs(t, result.Err, context.Canceled)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := sender.Send(ctx, request(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		hang(w, r)
	})))
	require.Equal(t, sender.Interrupted, result.Verdict)
	require.Equal(t, events.ErrorClassInterrupted, result.Class)
	require.ErrorIs(t, result.Err, context.Canceled)

	result = sender.Send(ctx, request(t, "https://10.0.0.1"))
	require.Equal(t, sender.Interrupted, result.Verdict, "before it began")

	late, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond) // a deadline of the caller's is the caller's
	defer cancel()
	result = sender.Send(late, request(t, serve(t, hang)))
	require.Equal(t, sender.Interrupted, result.Verdict)
}

// TestErrorsSayNothingThroughOtherWays: nor do they when somebody prints all of a result but the body.
func TestErrorsSayNothingThroughOtherWays(t *testing.T) {
	t.Parallel()
	r := request(t, "https://10.0.0.1/"+canary)
	result := sender.Send(t.Context(), r)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("attempt", "result", result)
	require.NotContains(t, log.String(), canary)
	require.ErrorIs(t, result.Err, egress.ErrBlocked)
}
