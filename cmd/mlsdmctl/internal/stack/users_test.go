package stack_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/stack"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// curious is a service that tries what it may, and what it may not.
type curious struct {
	bus   *bus.Bus
	tried chan<- [2]error
}

func (c curious) Run(ctx context.Context) error {
	publish := func(eventType string) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := c.bus.Publish(ctx, bus.Msg{Subject: c.bus.Subjects().Event(eventType), Body: []byte("{}")})
		return err
	}
	c.tried <- [2]error{publish(events.TypeCIDegraded), publish(events.TypeSecretRotated)}
	<-ctx.Done()
	return nil
}

// A service here has the rights that it has on any closed bus; who comes from outside has all of them.
func TestServicesHaveTheirRightsOnly(t *testing.T) {
	t.Parallel()
	tried := make(chan [2]error, 1)
	o := options(t)
	o.Units = []service.Unit{service.Define(events.ServiceCIWatch, "Tries.", func(_ struct{}, deps service.Deps) (curious, error) {
		return curious{deps.Bus, tried}, nil
	})}
	s, err := stack.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop(s)) })
	select {
	case errs := <-tried:
		require.NoError(t, errs[0])
		require.Error(t, errs[1], "only secretd says that a secret was rotated")
	case <-time.After(30 * time.Second):
		require.Fail(t, "the service does not run")
	}
	b, err := bus.Connect(t.Context(), bus.Config{URLs: []string{s.URL()}}, "anyone", bus.Options{})
	require.NoError(t, err)
	_, err = b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Event(events.TypeSecretRotated), Body: []byte("{}")})
	require.NoError(t, err)
	_, err = b.StreamMessages(t.Context(), b.Subjects().StreamName(events.StreamDeliveries))
	require.NoError(t, err)
	require.NoError(t, b.Close(t.Context()))
}

func TestOthersReachTheStackOnlyWhenTheyAreLetIn(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Addr, o.Units = "0.0.0.0:0", nil
	_, err := stack.Start(t.Context(), o)
	require.ErrorContains(t, err, "--insecure")
	o.Insecure = true
	s, err := stack.Start(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, stop(s))
}
