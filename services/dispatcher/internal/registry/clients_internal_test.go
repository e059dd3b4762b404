package registry

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// idle is a transport that counts how often its idle connections were closed.
type idle struct{ closed int }

func (*idle) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrNotSupported }
func (i *idle) CloseIdleConnections()                         { i.closed++ }

func TestClientsThatNobodyUsesAreDropped(t *testing.T) {
	t.Parallel()
	var made []*idle
	c := newClients(func(*tls.Config) *http.Client {
		made = append(made, &idle{})
		return &http.Client{Transport: made[len(made)-1]}
	})
	x, y := &events.EndpointTLS{ServerName: "x.example"}, &events.EndpointTLS{ServerName: "y.example"}
	get := func(spec *events.EndpointTLS) clientKey {
		_, id, err := c.get(spec, secret.Value{})
		require.NoError(t, err)
		return id
	}
	plain, idX, idY := get(nil), get(x), get(y)
	require.Zero(t, plain)
	require.NotEqual(t, idX, idY)
	require.Len(t, made, 3)

	c.sweep(map[clientKey]bool{idX: true})
	require.Zero(t, made[2].closed, "whoever has just asked for it may not have said yet that he uses it")
	c.sweep(map[clientKey]bool{idX: true})
	require.Equal(t, 1, made[2].closed)
	require.Zero(t, made[0].closed, "that without TLS configuration stays")
	require.Zero(t, made[1].closed)
	require.Equal(t, idY, get(y))
	require.Len(t, made, 4)

	c.sweep(nil)
	require.Equal(t, idX, get(x), "it is asked for again in between")
	c.sweep(nil)
	require.Zero(t, made[1].closed)
	c.sweep(nil)
	require.Equal(t, 1, made[1].closed)
}

func TestTLSConfigurationsAreToldApart(t *testing.T) {
	t.Parallel()
	key := secret.NewValue("key")
	seen := map[clientKey]bool{}
	for _, spec := range []*events.EndpointTLS{
		nil, {}, {CA: "ab"}, {Certificate: "ab"}, {CA: "a", Certificate: "b"}, {ServerName: "ab"}, {CA: "a", ServerName: "b"},
	} {
		seen[keyOf(spec, key)] = true
		seen[keyOf(spec, secret.Value{})] = true
	}
	require.Len(t, seen, 13, "only without a TLS configuration does its key not matter")
}
