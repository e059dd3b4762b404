package bus_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// password is one that changes.
type password struct{ atomic.Pointer[string] }

// Current implements [secret.Source].
func (p *password) Current() string { return *p.Load() }

// Renew implements [secret.Source].
func (p *password) Renew(context.Context, string) {}

func (p *password) become(text string) { p.Store(&text) }

// A password that a file holds may change: the next connection is made with what it is then.
func TestPasswordThatChanges(t *testing.T) {
	t.Parallel()
	wants := func(password string) bustest.Option {
		return bustest.Configure(func(o *server.Options) { o.Username, o.Password = "service", password })
	}
	srv := bustest.Start(t, bustest.Bare(), wants("first"))
	var p password
	p.become("first")
	b, err := bus.Connect(t.Context(), bus.Config{URLs: []string{srv.URL()}, User: "service", Password: secret.Live(&p)}, "service", bus.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	again, ended := make(chan struct{}, 10), make(chan error, 1)
	go func() { ended <- b.Listen(ctx, "news", func(bus.Heard) {}, func() { again <- struct{}{} }) }()

	p.become("second")
	srv.RestartWith(t, wants("second"))
	select {
	case <-again:
	case <-time.After(patience):
		require.Fail(t, "it does not connect again")
	}
	cancel()
	require.NoError(t, <-ended)
	require.NoError(t, b.Close(t.Context()))
}
