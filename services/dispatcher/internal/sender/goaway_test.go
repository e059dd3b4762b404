package sender_test

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress/egresstest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

// Frames of HTTP/2 that say nothing but themselves (RFC 9113, 6.5 and 6.8).
const (
	settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	goAway   = "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
)

// TestGoAwayWithoutEnd: a receiver that takes each connection and sends it away costs a few handshakes and not as many as fit
// into the timeout.
func TestGoAwayWithoutEnd(t *testing.T) {
	t.Parallel()
	ca := egresstest.NewAuthority(t)
	for name, before := range map[string]int64{"at once": 0, "after the request has begun": 24 + 9 + 64} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var connections atomic.Int64
			address := serveConns(t, ca.Issue(t, "127.0.0.1", time.Now().Add(time.Hour)), func(c net.Conn) {
				connections.Add(1)
				_, _ = io.WriteString(c, settings)
				_, _ = io.CopyN(io.Discard, c, before)
				_, _ = io.WriteString(c, goAway)
				_, _ = io.Copy(io.Discard, c)
			})
			r := request(t, address)
			r.Client = newClient(t, &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12})
			result := sender.Send(t.Context(), r)
			require.Equal(t, sender.Retry, result.Verdict)
			require.Equal(t, events.ErrorClassReset, result.Class)
			require.ErrorContains(t, result.Err, "connections")
			require.Less(t, result.Latency, r.Timeout)
			require.LessOrEqual(t, connections.Load(), int64(10))
		})
	}
}

// serveConns gives each connection that offers HTTP/2 over TLS to serve. It returns the URL.
func serveConns(t *testing.T, cert tls.Certificate, serve func(net.Conn)) string {
	t.Helper()
	listener, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return "https://" + listener.Addr().String()
}
