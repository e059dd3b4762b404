package egress_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/egress/egresstest"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	ca, other := egresstest.NewAuthority(t), egresstest.NewAuthority(t)
	day := time.Now().Add(24 * time.Hour)
	server := ca.Issue(t, "receiver.example", day)
	tests := []struct {
		name   string
		server func(*tls.Config)
		client *tls.Config
		ok     bool
	}{
		{name: "its own authority", client: &tls.Config{RootCAs: ca.Pool()}, ok: true},
		{name: "the system's authorities"},
		{name: "another authority", client: &tls.Config{RootCAs: other.Pool()}},
		{name: "no verification at all is not to be had", client: &tls.Config{InsecureSkipVerify: true}},
		{name: "another name", client: &tls.Config{RootCAs: ca.Pool(), ServerName: "else.example"}},
		{
			name: "TLS 1.2", server: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
			client: &tls.Config{RootCAs: ca.Pool()}, ok: true,
		},
		{
			name: "TLS 1.1", server: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
			client: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS10},
		},
		{
			name: "TLS 1.2 where 1.3 is asked for", server: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
			client: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS13},
		},
		{
			name: "both sides show a certificate", server: mutual(ca),
			client: &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{ca.Issue(t, "client.example", day)}}, ok: true,
		},
		{name: "no certificate where one is asked for", server: mutual(ca), client: &tls.Config{RootCAs: ca.Pool()}},
		{
			name: "a stranger's certificate", server: mutual(ca),
			client: &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{other.Issue(t, "client.example", day)}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config := &tls.Config{Certificates: []tls.Certificate{server}}
			if tt.server != nil {
				tt.server(config)
			}
			address := serveTLS(t, config, func(http.ResponseWriter, *http.Request) {})
			client := newGuard(t, egress.Policy{Networks: loopback(), Resolver: answers("127.0.0.1")}).Client(egress.ClientOptions{TLS: tt.client})
			t.Cleanup(client.CloseIdleConnections)
			err := post(t, client, "https://receiver.example:"+mustURL(t, address).Port())
			if tt.ok {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			if dial, ok := errors.AsType[*egress.DialError](err); ok {
				require.Equal(t, egress.StageTLS, dial.Stage)
				require.Positive(t, dial.Times.TLS)
			}
		})
	}
}

func mutual(ca *egresstest.Authority) func(*tls.Config) {
	return func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool() }
}

// TestServerName: a certificate may be for another name than the URL's, if that is what was agreed.
func TestServerName(t *testing.T) {
	t.Parallel()
	ca := egresstest.NewAuthority(t)
	names := make(chan string, 1)
	given := &tls.Config{RootCAs: ca.Pool(), ServerName: "agreed.example"}
	address := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "agreed.example", time.Now().Add(time.Hour))}},
		func(_ http.ResponseWriter, r *http.Request) { names <- r.TLS.ServerName })
	client := newGuard(t, egress.Policy{Networks: loopback()}).Client(egress.ClientOptions{TLS: given})
	require.NoError(t, post(t, client, address))
	require.Equal(t, "agreed.example", <-names)
	require.Empty(t, given.NextProtos, "what was given is not changed")

	client = newGuard(t, egress.Policy{Networks: loopback()}).Client(egress.ClientOptions{TLS: &tls.Config{RootCAs: ca.Pool()}})
	var wrong x509.HostnameError
	require.ErrorAs(t, post(t, client, address), &wrong)
}
