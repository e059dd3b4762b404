package egress

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress/egresstest"
)

// TestProxyOverTLS is inside, because a proxy's authority is the system's and cannot be chosen.
func TestProxyOverTLS(t *testing.T) {
	t.Parallel()
	ca := egresstest.NewAuthority(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return // there is no answer, and the test fails
		}
		defer func() { _ = c.Close() }()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		_, _ = c.Read(make([]byte, 1)) // nothing is sent to the proxy unasked
		_, _ = io.WriteString(c, r.Method+" "+r.Host)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "127.0.0.1", time.Now().Add(time.Hour))}}
	server.StartTLS()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	via, err := newProxy(u)
	require.NoError(t, err)
	goal := netip.MustParseAddrPort("[2606:2800:220:1::1]:443")

	_, err = via.connect(t.Context(), goal)
	require.ErrorContains(t, err, "the TLS handshake with the proxy", "nobody knows its authority")

	via.tls.RootCAs = ca.Pool()
	c, err := via.connect(t.Context(), goal)
	require.NoError(t, err)
	_, err = c.Write([]byte("x"))
	require.NoError(t, err)
	said, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "CONNECT [2606:2800:220:1::1]:443", string(said))
	require.NoError(t, c.Close())
}

// TestProxyThatHangs holds nobody longer than he wants to wait.
func TestProxyThatHangs(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	via, err := newProxy(&url.URL{Scheme: "http", Host: listener.Addr().String()})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = via.connect(ctx, netip.MustParseAddrPort("93.184.216.34:443"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
