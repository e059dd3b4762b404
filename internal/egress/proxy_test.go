package egress_test

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/egress/egresstest"
)

const public = "93.184.216.34"

// tunnels is a proxy that connects to one server, whatever it is asked for, and remembers what that was.
type tunnels struct {
	server string // host and port

	mu            sync.Mutex
	asked         []string
	authorization string
}

func (p *tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	p.authorization = r.Header.Get("Proxy-Authorization")
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	there, err := new(net.Dialer).DialContext(r.Context(), "tcp", p.server)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = there.Close() }()
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // there is no answer, and the test fails
	}
	defer func() { _ = here.Close() }()
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(there, here)
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
}

func (p *tunnels) seen() (asked []string, authorization string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, p.authorization
}

func newTunnels(t *testing.T, server string) (*tunnels, string) {
	t.Helper()
	p := &tunnels{server: mustURL(t, server).Host}
	via := httptest.NewServer(p)
	t.Cleanup(via.Close)
	return p, mustURL(t, via.URL).Host
}

// serveTLS returns the URL of a server with a certificate for the name.
func serveTLS(t *testing.T, config *tls.Config, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = config
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func TestProxy(t *testing.T) {
	t.Parallel()
	ca := egresstest.NewAuthority(t)
	names := make(chan string, 1)
	secured := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "receiver.example", time.Now().Add(time.Hour))}},
		func(_ http.ResponseWriter, r *http.Request) { names <- r.TLS.ServerName + " " + r.Proto })
	plain := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { names <- r.Host + " " + r.RequestURI }))
	t.Cleanup(plain.Close)

	proxy, address := newTunnels(t, secured)
	client := newGuard(t, egress.Policy{Resolver: answers(public), Proxy: mustURL(t, "http://user:p%40ss@"+address)}).
		Client(egress.ClientOptions{TLS: &tls.Config{RootCAs: ca.Pool()}})
	require.NoError(t, post(t, client, "https://receiver.example/hook"))
	require.Equal(t, "receiver.example HTTP/1.1", <-names)
	asked, authorization := proxy.seen()
	require.Equal(t, []string{"CONNECT " + public + ":443"}, asked, "the address that was judged, not the name")
	require.Equal(t, "Basic dXNlcjpwQHNz", authorization)

	proxy, address = newTunnels(t, plain.URL)
	client = newGuard(t, egress.Policy{Resolver: answers(public), AllowHTTP: true, Proxy: mustURL(t, "http://"+address)}).Client(egress.ClientOptions{})
	require.NoError(t, post(t, client, "http://receiver.example:8080/hook"))
	require.Equal(t, "receiver.example:8080 /hook", <-names)
	asked, authorization = proxy.seen()
	require.Equal(t, []string{"CONNECT " + public + ":8080"}, asked)
	require.Empty(t, authorization)
}

// TestProxyIsNoWayAround: what may not be dialled is not asked for at the proxy either.
func TestProxyIsNoWayAround(t *testing.T) {
	t.Parallel()
	proxy, accepted := listen(t)
	via := mustURL(t, "http://"+proxy.Addr().String())
	for _, policy := range []egress.Policy{
		{Resolver: answers("10.0.0.1"), AllowHTTP: true}, {Resolver: answers(public, "127.0.0.1"), AllowHTTP: true}, {Resolver: answers("169.254.169.254")},
	} {
		policy.Proxy = via
		client := newGuard(t, policy).Client(egress.ClientOptions{})
		for _, address := range []string{"https://a.example", "https://127.0.0.1", "http://a.example", "https://[::ffff:10.0.0.1]", "https://localhost"} {
			require.ErrorIs(t, post(t, client, address), egress.ErrBlocked, address)
		}
	}
	require.Zero(t, accepted())
}

func TestProxyThatDoesNotConnect(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ answer, says string }{
		"forbids":              {"HTTP/1.1 403 canary\r\nContent-Length: 6\r\n\r\ncanary", "the proxy answered 403 Forbidden"},
		"wants a password":     {"HTTP/1.1 407 canary\r\n\r\n", "the proxy answered 407 Proxy Authentication Required"},
		"cannot":               {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502 Bad Gateway"},
		"redirects":            {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/canary\r\n\r\n", "the proxy answered 302 Found"},
		"is none":              {"220 canary ESMTP\r\n", "no answer that can be read"},
		"says nothing":         {"", "no answer that can be read"},
		"talks on":             {"HTTP/1.1 200 OK\r\n\r\ncanary", "more than an answer"},
		"has no end of header": {"HTTP/1.1 200 OK\r\nX: " + string(make([]byte, 1<<20)), "no answer that can be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			go func() {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 1<<10))
				_, _ = io.WriteString(c, tt.answer)
				_ = c.Close()
			}()
			t.Cleanup(func() { _ = listener.Close() })
			client := newGuard(t, egress.Policy{Resolver: answers(public), Proxy: mustURL(t, "http://user:canary@"+listener.Addr().String())}).
				Client(egress.ClientOptions{})
			err = post(t, client, "https://a.example")
			dial, ok := errors.AsType[*egress.DialError](err)
			require.True(t, ok, err)
			require.Equal(t, egress.StageConnect, dial.Stage)
			require.ErrorContains(t, dial, tt.says)
			require.NotContains(t, dial.Error(), "canary")
		})
	}
}

func TestProxyURLs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"socks5://a:1", "a:1", "http://", "http://:3128", "http://user:canary@a.example:0", "http://user:canary@a.example:65536", "http:a"} {
		_, err := egress.NewGuard(egress.Policy{Proxy: mustURL(t, bad)})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "canary")
	}
	for _, good := range []string{"http://proxy.example", "https://user:pass@proxy.example:8443", "http://10.0.0.1:3128", "http://[::1]:3128"} {
		_, err := egress.NewGuard(egress.Policy{Proxy: mustURL(t, good)})
		require.NoError(t, err, good)
	}
}

// TestTheProxyIsNotNamed: who reads why an attempt failed learns neither the proxy's address nor that of a name server.
func TestTheProxyIsNotNamed(t *testing.T) {
	t.Parallel()
	listener, _ := listen(t)
	gone := listener.Addr().String()
	require.NoError(t, listener.Close())
	for _, proxy := range []string{"http://" + gone, "http://proxy.invalid:3128"} {
		guard, err := egress.NewGuard(egress.Policy{Proxy: mustURL(t, proxy), Resolver: answers("93.184.216.34")})
		require.NoError(t, err)
		err = post(t, guard.Client(egress.ClientOptions{}), "https://receiver.example/hook")
		require.ErrorContains(t, err, "connecting to the proxy: ")
		require.NotRegexp(t, `127\.0\.0\.1|proxy\.invalid|:53|lookup`, err.Error())
	}
}
