package egress_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

// only allows 127.0.0.1, which stands for the public internet here, and none of its neighbours.
func only() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} }

// onPort listens on an address and a port, and counts.
func onPort(t *testing.T, address, port string) func() int64 {
	t.Helper()
	var count atomic.Int64
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(address, port))
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })}
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			count.Add(1)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return count.Load
}

// TestRebinding: a name that leads elsewhere at the second look is looked at once for each connection.
func TestRebinding(t *testing.T) {
	t.Parallel()
	free, _ := listen(t)
	_, port, err := net.SplitHostPort(free.Addr().String())
	require.NoError(t, err)
	require.NoError(t, free.Close())
	outside, inside := onPort(t, "127.0.0.1", port), onPort(t, "127.0.0.2", port)

	var looks atomic.Int64
	client := newGuard(t, egress.Policy{Networks: only(), Resolver: lookup(func(string) []netip.Addr {
		if looks.Add(1) == 1 {
			return addrs("127.0.0.1")
		}
		return addrs("127.0.0.2")
	})}).Client(egress.ClientOptions{})
	require.NoError(t, post(t, client, "http://rebinding.example:"+port))
	require.EqualValues(t, 1, looks.Load())
	require.EqualValues(t, 1, outside())
	for range 3 {
		require.ErrorIs(t, post(t, client, "http://rebinding.example:"+port), egress.ErrBlocked)
	}
	require.EqualValues(t, 4, looks.Load())
	require.Zero(t, inside())
}

// TestOneBadAddressIsEnough: however many good ones stand before it.
func TestOneBadAddressIsEnough(t *testing.T) {
	t.Parallel()
	listener, accepted := listen(t)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	for _, answer := range [][]string{
		{"127.0.0.1", "127.0.0.2"},
		{"127.0.0.2", "127.0.0.1"},
		{"127.0.0.1", "::1"},
		{"127.0.0.1", "169.254.169.254"},
		{"127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "10.0.0.1"},
		{"127.0.0.1", "fe80::1%lo"},
		{"::ffff:127.0.0.2"},
		{"0.0.0.0"},
		{"::"},
	} {
		client := newGuard(t, egress.Policy{Networks: only(), Resolver: answers(answer...)}).Client(egress.ClientOptions{})
		for _, scheme := range []string{"http://", "https://"} {
			require.ErrorIs(t, post(t, client, scheme+"mixed.example:"+port), egress.ErrBlocked, answer)
		}
	}
	require.Zero(t, accepted())
}

// TestEveryAddressIsTried until one answers, the dead ones at its side.
func TestEveryAddressIsTried(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	port := mustURL(t, server.URL).Port()
	for _, answer := range [][]string{
		{"127.0.0.9", "127.0.0.8", "127.0.0.1"}, {"127.0.0.9", "::1", "127.0.0.1"}, {"127.0.0.1", "127.0.0.9"},
	} {
		client := newGuard(t, egress.Policy{Networks: loopback(), Resolver: answers(answer...)}).Client(egress.ClientOptions{})
		require.NoError(t, post(t, client, "http://many.example:"+port), answer)
	}
	client := newGuard(t, egress.Policy{Networks: loopback(), Resolver: answers("127.0.0.9", "127.0.0.8")}).Client(egress.ClientOptions{})
	err := post(t, client, "http://none.example:"+port)
	dial, ok := errors.AsType[*egress.DialError](err)
	require.True(t, ok)
	require.Equal(t, egress.StageConnect, dial.Stage)
	require.ErrorContains(t, err, "127.0.0.9", "the first is what the name stands for")
}

// failing is a resolver that knows nothing.
type failing struct{ err error }

func (f failing) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, f.err
}

func TestLookupFails(t *testing.T) {
	t.Parallel()
	for name, resolver := range map[string]egress.Resolver{
		"no such host": failing{&net.DNSError{Err: "no such host", Name: "a.example", Server: "10.9.8.7:53"}},
		"server down":  failing{errors.New("server misbehaving")},
		"no address":   answers(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := post(t, newGuard(t, egress.Policy{Resolver: resolver}).Client(egress.ClientOptions{}), "https://a.example/secret")
			dial, ok := errors.AsType[*egress.DialError](err)
			require.True(t, ok)
			require.Equal(t, egress.StageDNS, dial.Stage)
			require.True(t, strings.HasPrefix(dial.Error(), "looking up a.example: "))
			require.NotContains(t, dial.Error(), "10.9.8.7")
		})
	}
}

// TestTimes: a connection knows what its making took.
func TestTimes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	client := newGuard(t, egress.Policy{Networks: loopback(), Resolver: answers("127.0.0.1")}).Client(egress.ClientOptions{})
	var times egress.Times
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { times = egress.TimesOf(info.Conn) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://a.example:"+mustURL(t, server.URL).Port(), http.NoBody)
	require.NoError(t, err)
	answer, err := client.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Positive(t, times.DNS)
	require.Positive(t, times.Connect)
	require.Zero(t, times.TLS)
	require.Zero(t, egress.TimesOf(nil))
}
