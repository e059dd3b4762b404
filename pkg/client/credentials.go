package client

import (
	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Credentials logs in with a credentials file (JWT and nkey).
func Credentials(file string) Option { return NATS(nats.UserCredentials(file)) }

// NKey logs in with the nkey seed that a file holds.
func NKey(file string) Option {
	return NATS(func(o *nats.Options) error {
		option, err := nats.NkeyOptionFromSeed(file)
		if err != nil {
			return events.Errorf(events.CodeInvalidArgument, "%s holds no nkey seed: %w", file, err)
		}
		return option(o)
	})
}

// Password logs in with a user name and a password.
func Password(user, password string) Option { return NATS(nats.UserInfo(user, password)) }

// Token logs in with a token, on servers that know one.
func Token(token string) Option { return NATS(nats.Token(token)) }

// RootCAs are files with the certificates of the authorities that may sign the server's (PEM).
func RootCAs(files ...string) Option { return NATS(nats.RootCAs(files...)) }

// Certificate is the client's own certificate and its key, for mutual TLS (PEM files).
func Certificate(certFile, keyFile string) Option { return NATS(nats.ClientCert(certFile, keyFile)) }
