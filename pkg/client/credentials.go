package client

import (
	"bytes"
	"os"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Credentials logs in with a credentials file (JWT and nkey).
func Credentials(file string) Option { return NATS(nats.UserCredentials(file)) }

// NKey logs in with the nkey seed that a file holds. When the file says whose key it is, in a line "# user: NAME" as
// `mlsdmctl init` writes it, the inboxes are those of that user, below _INBOX_<name>.
func NKey(file string) Option {
	return NATS(func(o *nats.Options) error {
		text, err := os.ReadFile(file) //nolint:gosec // the caller names it
		if err != nil {
			return events.Errorf(events.CodeInvalidArgument, "%s cannot be read: %w", file, err)
		}
		defer clear(text)
		if user := keyUser(text); user != "" {
			o.InboxPrefix = "_INBOX_" + inboxToken(user)
		}
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

// keyUser returns the name of the user whose key a file says it holds.
func keyUser(text []byte) string {
	for line := range bytes.Lines(text) {
		if user, found := bytes.CutPrefix(bytes.TrimSpace(line), []byte("# user: ")); found {
			return string(user)
		}
	}
	return ""
}
