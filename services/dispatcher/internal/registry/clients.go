package registry

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"net/http"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// clientKey tells TLS configurations apart; the zero key is that of endpoints without one.
type clientKey [sha256.Size]byte

// clients has one HTTP client for each TLS configuration that endpoints have, so that those with the same one share their
// connections. It is safe for concurrent use.
type clients struct {
	build func(*tls.Config) *http.Client

	mu   sync.Mutex
	have map[clientKey]*client
}

// client is one that is kept.
type client struct {
	http *http.Client
	// missed is set by a sweep that found nobody who uses the client; the next one drops it, unless it is used by then. In
	// between stands whoever has asked for it and not said yet that he uses it.
	missed bool
}

func newClients(build func(*tls.Config) *http.Client) *clients {
	return &clients{build: build, have: map[clientKey]*client{{}: {http: build(nil)}}}
}

// get returns the client of a TLS configuration, with the value of its key. Errors are an [events.Error] of code
// invalid_argument, which quotes nothing.
func (c *clients) get(spec *events.EndpointTLS, key secret.Value) (*http.Client, clientKey, error) {
	id := keyOf(spec, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.have[id]; ok {
		have.missed = false
		return have.http, id, nil
	}
	config, err := tlsConfig(spec, key)
	if err != nil {
		return nil, clientKey{}, err
	}
	made := &client{http: c.build(config)}
	c.have[id] = made
	return made.http, id, nil
}

// sweep drops the clients that nobody has used since the sweep before the last.
func (c *clients) sweep(used map[clientKey]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, have := range c.have {
		switch {
		case used[id] || id == clientKey{}:
			have.missed = false
		case !have.missed:
			have.missed = true
		default:
			delete(c.have, id)
			have.http.CloseIdleConnections()
		}
	}
}

// keyOf returns the key of a TLS configuration.
func keyOf(spec *events.EndpointTLS, key secret.Value) clientKey {
	if spec == nil {
		return clientKey{}
	}
	digest := sha256.New()
	for _, part := range []string{spec.CA, spec.Certificate, key.Reveal(), spec.ServerName} {
		digest.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		digest.Write([]byte(part))
	}
	return clientKey(digest.Sum(nil))
}

// tlsConfig reads a TLS configuration.
func tlsConfig(spec *events.EndpointTLS, key secret.Value) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: spec.ServerName}
	if spec.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(spec.CA)) {
			return nil, events.Errorf(events.CodeInvalidArgument, "tls.ca holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
		}
	}
	if spec.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(spec.Certificate), []byte(key.Reveal()))
		if err != nil {
			return nil, &events.Error{
				Code: events.CodeInvalidArgument, Err: err,
				Message: "tls.certificate and the secret that tls.key refers to are not a certificate and its unencrypted private key, both in PEM",
			}
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
