package client

import "github.com/nats-io/nats.go"

// Credentials logs in with a credentials file (JWT and nkey).
func Credentials(file string) Option { return NATS(nats.UserCredentials(file)) }

// NKey logs in with the nkey seed that a file holds.
func NKey(file string) Option {
	return NATS(func(o *nats.Options) error {
		nkey, err := nats.NkeyOptionFromSeed(file)
		if err != nil {
			return err
		}
		return nkey(o)
	})
}

// Password logs in with a user name and a password.
func Password(user, password string) Option { return NATS(nats.UserInfo(user, password)) }

// Token logs in with a token.
func Token(token string) Option { return NATS(nats.Token(token)) }

// RootCAs names a file with the certificates of the authorities that may sign the server's (PEM).
func RootCAs(file string) Option { return NATS(nats.RootCAs(file)) }

// Certificate names the files of the client certificate for mutual TLS and of its key (PEM).
func Certificate(cert, key string) Option { return NATS(nats.ClientCert(cert, key)) }
