package bustest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Closed starts the server as `mlsdmctl init` configures one: with a user for each service, an administrator, a client,
// and the callers, who may do what package permissions says and nothing else. Who has no key does not come in.
// [Server.Connect] and [Server.User] connect as a user.
func Closed(callers ...string) Option {
	return func(s *settings) { s.closed = &permissions.Installation{Callers: callers} }
}

// Traced has the server tell of messages whose trace is sampled, on [events.Subjects.Hops], as a closed one always does.
func Traced() Option { return func(s *settings) { s.traced = true } }

// tracedAccount is the account of who brings no name, which only a configuration can have told of messages.
func tracedAccount(t testing.TB) *server.Account {
	t.Helper()
	var o server.Options
	require.NoError(t, o.ProcessConfigString("accounts { A { "+permissions.Installation{}.Tracing()+" } }"))
	require.Len(t, o.Accounts, 1)
	o.Accounts[0].Name = server.DEFAULT_GLOBAL_ACCOUNT
	return o.Accounts[0]
}

// closed is what a closed server and its users know.
type closed struct {
	installation permissions.Installation
	keys         permissions.Keys
	seeds        map[string]secret.Value
}

// newClosed makes keys for all users.
func newClosed(t testing.TB, i permissions.Installation) *closed {
	t.Helper()
	c := &closed{installation: i, keys: permissions.Keys{Public: map[string]string{}, API: map[string]string{}}, seeds: map[string]secret.Value{}}
	for _, name := range i.Prefixed() {
		c.keys.API[name] = "API.only-" + name + "-knows"
	}
	for _, name := range i.Names() {
		pair, err := nkeys.CreateUser()
		require.NoError(t, err)
		seed, err := pair.Seed()
		require.NoError(t, err)
		c.seeds[name] = secret.NewValue(string(seed))
		c.keys.Public[name], err = pair.PublicKey()
		require.NoError(t, err)
	}
	return c
}

// options reads the configuration as a server does.
func (c *closed) options(t testing.TB) *server.Options {
	t.Helper()
	accounts, err := c.installation.Accounts(c.keys)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "nats.conf")
	require.NoError(t, os.WriteFile(file, []byte(accounts), 0o600))
	o, err := server.ProcessConfigFile(file)
	require.NoError(t, err, accounts)
	return o
}

// Key is the key of a user of a closed server.
func (s *Server) Key(t testing.TB, user string) bus.Key {
	t.Helper()
	seed, found := s.closed.seeds[user]
	require.True(t, found, "there is no user %s", user)
	return bus.Key{Seed: seed, User: user, API: secret.NewValue(s.closed.keys.API[user])}
}

// User connects a plain NATS client as a user of a closed server, with that user's inboxes. It is closed when the test
// ends.
func (s *Server) User(t testing.TB, user string, options ...nats.Option) *nats.Conn {
	t.Helper()
	seed := []byte(s.Key(t, user).Seed.Reveal())
	pair, err := nkeys.FromSeed(seed)
	require.NoError(t, err)
	public, err := pair.PublicKey()
	require.NoError(t, err)
	options = append([]nats.Option{nats.Nkey(public, pair.Sign), nats.CustomInboxPrefix(permissions.Inbox(user))}, options...)
	nc, err := nats.Connect(s.URL(), options...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}
