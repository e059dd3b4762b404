package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/natsctx"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// connection is how the client commands reach the bus. Without a server it is that of the selected NATS context, and
// without one of those a server on this machine.
type connection struct {
	Server   string        `group:"Connection" env:"NATS_URL" placeholder:"URL" help:"NATS servers, separated by commas."`
	Context  string        `group:"Connection" env:"NATS_CONTEXT" placeholder:"NAME" help:"NATS context to use; without it and --server, the selected one."`
	Creds    string        `group:"Connection" env:"NATS_CREDS" placeholder:"FILE" help:"Credentials file."`
	NKey     string        `group:"Connection" name:"nkey" env:"NATS_NKEY" placeholder:"FILE" help:"File that holds an nkey seed."`
	User     string        `group:"Connection" env:"NATS_USER" help:"User name."`
	Password secret.Value  `group:"Connection" env:"NATS_PASSWORD" help:"Password of the user."`
	Token    secret.Value  `group:"Connection" env:"NATS_TOKEN" help:"Token, for servers that know one."`
	TLSCA    string        `group:"Connection" name:"tls-ca" env:"NATS_CA" placeholder:"FILE" help:"Certificates of the authorities that may sign the server's (PEM)."`
	TLSCert  string        `group:"Connection" name:"tls-cert" env:"NATS_CERT" placeholder:"FILE" help:"Client certificate (PEM)."`
	TLSKey   string        `group:"Connection" name:"tls-key" env:"NATS_KEY" placeholder:"FILE" help:"Key of the client certificate (PEM)."`
	Prefix   string        `group:"Connection" env:"MLSDM_PREFIX" default:"mlsdm" help:"First token of every subject."`
	Caller   string        `group:"Connection" env:"MLSDM_CALLER" help:"Ask under this name: on mlsdm.as.NAME.… Without it, the user whose key --nkey is, if the file says so, as those of mlsdmctl init do."`
	Timeout  time.Duration `group:"Connection" default:"60s" help:"How long to wait for an answer."`
	JSON     bool          `name:"json" help:"Print JSON, for machines."`
}

// defaultServer is where `mlsdmctl up` listens.
const defaultServer = "nats://127.0.0.1:4222"

// resolve fills in what the NATS context and the key say and the command line does not.
func (c connection) resolve(t terminal) (connection, error) {
	c, err := c.reach(t)
	if err != nil || c.NKey == "" || c.Caller != "" {
		return c, err
	}
	key, err := bus.ReadKey(c.NKey)
	if err != nil {
		return c, fmt.Errorf("the nkey: %w", err)
	}
	c.Caller = key.User
	return c, nil
}

// identify fills in who asks.
func (c *connection) identify(t terminal) error {
	resolved, err := c.resolve(t)
	c.Caller = resolved.Caller
	return err
}

// reach fills in what the NATS context says.
func (c connection) reach(t terminal) (connection, error) {
	fromEnv := func(name, value string) bool {
		set, ok := t.lookup(name)
		return ok && set == value
	}
	if c.Server != "" && c.Context != "" && !fromEnv("NATS_CONTEXT", c.Context) {
		if !fromEnv("NATS_URL", c.Server) {
			return c, errors.New("--server and --context both say where the bus is: leave one out")
		}
		c.Server = "" // what stands on the command line outranks the environment
	}
	if c.Server != "" {
		return c, nil
	}
	ctx, err := natsctx.Load(c.Context, func(name string) string {
		value, _ := t.lookup(name)
		return value
	})
	if errors.Is(err, natsctx.ErrNone) {
		c.Server = defaultServer
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.Server = ctx.URL
	if c.Server == "" {
		c.Server = defaultServer
	}
	if c.Creds == "" && c.NKey == "" && c.User == "" && c.Token.IsZero() {
		c.Creds, c.NKey, c.User = ctx.Creds, ctx.NKey, ctx.User
		c.Password, c.Token = ctx.Password, ctx.Token
	}
	if c.TLSCA == "" {
		c.TLSCA = ctx.CA
	}
	if c.TLSCert == "" && c.TLSKey == "" {
		c.TLSCert, c.TLSKey = ctx.Cert, ctx.Key
	}
	return c, nil
}

// client connects as a user of the bus.
func (c connection) client(ctx context.Context, t terminal, more ...client.Option) (*client.Client, error) {
	c, err := c.resolve(t)
	if err != nil {
		return nil, err
	}
	if err := c.busConfig().Validate(); err != nil {
		return nil, err
	}
	options := []client.Option{client.Prefix(c.Prefix), client.Caller(c.Caller), client.Timeout(c.Timeout), client.Source("/mlsdm/mlsdmctl")}
	switch {
	case c.Creds != "":
		options = append(options, client.Credentials(c.Creds))
	case c.NKey != "":
		options = append(options, client.NKey(c.NKey))
	case c.User != "":
		options = append(options, client.Password(c.User, c.Password.Reveal()))
	case !c.Token.IsZero():
		options = append(options, client.Token(c.Token.Reveal()))
	}
	if c.TLSCA != "" {
		options = append(options, client.RootCAs(c.TLSCA))
	}
	if c.TLSCert != "" {
		options = append(options, client.Certificate(c.TLSCert, c.TLSKey))
	}
	cl, err := client.Connect(ctx, c.Server, append(options, more...)...)
	return cl, hint(err)
}

// bus connects as an operator: to look at streams and to make them.
func (c connection) bus(ctx context.Context, t terminal) (*bus.Bus, error) {
	c, err := c.resolve(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, min(c.Timeout, connectPatience))
	defer cancel()
	b, err := bus.Connect(ctx, c.busConfig(), "mlsdmctl", bus.Options{})
	return b, hint(err)
}

// connectPatience is how long a command waits for a server: somebody sits in front of it.
const connectPatience = 5 * time.Second

// busConfig is the connection in the bus's own words.
func (c connection) busConfig() bus.Config {
	return bus.Config{
		URLs: strings.Split(c.Server, ","), Creds: c.Creds, NKeyFile: c.NKey, User: c.User, Password: c.Password, Token: c.Token,
		TLSCA: c.TLSCA, TLSCert: c.TLSCert, TLSKey: c.TLSKey, Prefix: c.Prefix,
	}
}

// hintedError adds what to do to what went wrong.
type hintedError struct {
	error

	hint string
}

func (e *hintedError) Error() string { return e.error.Error() + "\n" + e.hint }
func (e *hintedError) Unwrap() error { return e.error }

// closedHint is for who has no key, or a wrong one.
const closedHint = "This bus is closed: give the key of one of its users with --nkey FILE (or NATS_NKEY), such as\n" +
	"deploy/installation/users/client.nk, which `mlsdmctl init` makes."

// hint says what to do about the most common failure.
func hint(err error) error {
	if err != nil && (strings.Contains(err.Error(), "no servers available") || strings.Contains(err.Error(), "connection refused")) {
		return &hintedError{err, "Is a server running there? `mlsdmctl up` starts one with everything on it; --server names another."}
	}
	if err != nil && (events.CodeOf(err) == events.CodeUnauthenticated && events.AsError(err).Provider == "" || strings.Contains(err.Error(), "refuses the credentials")) {
		return &hintedError{err, closedHint}
	}
	if events.CodeOf(err) == events.CodeUnavailable && strings.Contains(err.Error(), "is the service running") {
		return &hintedError{err, "`mlsdmctl doctor` shows what runs."}
	}
	return err
}
