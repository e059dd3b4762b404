package egress_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

func TestClientIsGuardedAtDialTime(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(server.Close)
	port := mustURL(t, server.URL).Port()

	client := egress.New(setting, nil).Client(1)
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "127.1", "0x7f000001", "2130706433",
	} {
		err := get(t, client, "http://"+host+":"+port)
		require.Error(t, err, host)
		if host != "127.1" && host != "0x7f000001" && host != "2130706433" { // those may just as well not resolve
			require.ErrorIs(t, err, egress.ErrBlocked, host)
		}
	}
	require.Zero(t, reached.Load(), "a connection got through")

	loopback, err := egress.ParseNetworks([]string{"127.0.0.0/8", "::1"})
	require.NoError(t, err)
	allowed := egress.New(setting, loopback).Client(1)
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		require.NoError(t, get(t, allowed, "http://"+host+":"+port), host)
	}
	require.EqualValues(t, 3, reached.Load())
}

func TestClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(target.Close)
	loopback, err := egress.ParseNetworks([]string{"127.0.0.0/8"})
	require.NoError(t, err)
	client := egress.New(setting, loopback).Client(1)
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(target.URL, status))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, http.NoBody)
		require.NoError(t, err)
		answer, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, status, answer.StatusCode)
		server.Close()
	}
	require.Zero(t, reached.Load())
}

// TestClientTakesNoProxy cannot run beside others: it sets the environment.
func TestClientTakesNoProxy(t *testing.T) {
	var proxied atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied.Add(1) }))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	loopback, err := egress.ParseNetworks([]string{"127.0.0.0/8"})
	require.NoError(t, err)
	err = get(t, egress.New(setting, loopback).Client(1), "http://10.0.0.1:9/")
	require.ErrorIs(t, err, egress.ErrBlocked)
	require.Zero(t, proxied.Load())
}

func get(t *testing.T, client *http.Client, address string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}
