package egress_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

func TestClientReachesWhatIsAllowed(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(server.Close)
	port := mustURL(t, server.URL).Port()

	refused := newGuard(t, egress.Policy{AllowHTTP: true}).Client(egress.ClientOptions{})
	byNetwork := newGuard(t, egress.Policy{Networks: loopback()}).Client(egress.ClientOptions{})
	byHost := newGuard(t, egress.Policy{Hosts: []string{"localhost"}}).Client(egress.ClientOptions{})
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		require.ErrorIs(t, post(t, refused, "http://"+host+":"+port), egress.ErrBlocked, host)
		require.NoError(t, post(t, byNetwork, "http://"+host+":"+port), host)
	}
	require.NoError(t, post(t, byHost, "http://localhost:"+port))
	require.ErrorIs(t, post(t, byHost, "http://127.0.0.1:"+port), egress.ErrBlocked)
	require.EqualValues(t, 4, reached.Load())
}

func TestClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	goal := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(goal.Close)
	client := newGuard(t, egress.Policy{Networks: loopback()}).Client(egress.ClientOptions{})
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(goal.URL, status))
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
	proxy, proxied := listen(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://"+proxy.Addr().String())
	}
	client := newGuard(t, egress.Policy{Networks: loopback()}).Client(egress.ClientOptions{})
	require.ErrorIs(t, post(t, client, "http://10.0.0.1:9/"), egress.ErrBlocked)
	require.Error(t, post(t, client, "http://127.0.0.1:1/"))
	require.Zero(t, proxied())
}
