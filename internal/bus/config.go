package bus

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Config is how to reach NATS, as operators set it.
type Config struct {
	URLs     []string     `name:"nats-url" env:"NATS_URL" default:"nats://127.0.0.1:4222" help:"NATS servers, separated by commas."`
	Creds    string       `name:"nats-creds" env:"NATS_CREDS" placeholder:"FILE" help:"Credentials file (JWT and nkey)."`
	NKeyFile string       `name:"nats-nkey" env:"NATS_NKEY" placeholder:"FILE" help:"File that holds an nkey seed."`
	User     string       `name:"nats-user" env:"NATS_USER" help:"User name."`
	Password secret.Value `name:"nats-password" env:"NATS_PASSWORD" refs:"local" help:"Password of the user."`
	Token    secret.Value `name:"nats-token" env:"NATS_TOKEN" refs:"local" help:"Token, for servers that know one."`
	TLSCA    string       `name:"nats-tls-ca" env:"NATS_CA" placeholder:"FILE" help:"Certificates of the authorities that may sign the server's (PEM)."`
	TLSCert  string       `name:"nats-tls-cert" env:"NATS_CERT" placeholder:"FILE" help:"Client certificate for mutual TLS (PEM)."`
	TLSKey   string       `name:"nats-tls-key" env:"NATS_KEY" placeholder:"FILE" help:"Key of the client certificate (PEM)."`
	Prefix   string       `name:"prefix" env:"MLSDM_PREFIX" default:"mlsdm" help:"First token of every subject; one cluster can hold several installations."`
}

// Validate checks that the settings fit together.
func (c Config) Validate() error {
	if _, err := events.NewSubjects(c.Prefix); err != nil {
		return fmt.Errorf("prefix: %w", err)
	}
	if len(c.URLs) == 0 {
		return errors.New("nats-url is empty: give at least one, like nats://127.0.0.1:4222")
	}
	for i, raw := range c.URLs {
		if !strings.Contains(raw, "://") {
			raw = "nats://" + raw
		}
		// The text may hold a password, so it is not shown.
		if u, err := url.Parse(strings.TrimSpace(raw)); err != nil || u.Host == "" {
			return fmt.Errorf("nats-url number %d is no URL: it should look like nats://127.0.0.1:4222", i+1)
		}
	}
	var ways []string
	for _, w := range []struct {
		name string
		set  bool
	}{
		{"nats-creds", c.Creds != ""},
		{"nats-nkey", c.NKeyFile != ""},
		{"nats-user", c.User != ""},
		{"nats-token", !c.Token.IsZero()},
	} {
		if w.set {
			ways = append(ways, w.name)
		}
	}
	if len(ways) > 1 {
		return fmt.Errorf("%s exclude each other: choose one way to log in", strings.Join(ways, " and "))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("nats-tls-cert and nats-tls-key belong together: give both or none")
	}
	if c.User == "" && !c.Password.IsZero() {
		return errors.New("nats-password needs nats-user")
	}
	return nil
}

// servers returns the URLs without the space that may stand around them.
func (c Config) servers() []string {
	servers := make([]string, len(c.URLs))
	for i, u := range c.URLs {
		servers[i] = strings.TrimSpace(u)
	}
	return servers
}

// Timings of the connection. They are no settings: nobody should have to tune them.
const (
	connectTimeout   = 5 * time.Second
	reconnectWait    = 250 * time.Millisecond
	reconnectWaitMax = 5 * time.Second
	pingInterval     = 20 * time.Second
	apiTimeout       = 5 * time.Second
	publishTimeout   = 10 * time.Second
)
