package bus_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Every replica of a service is heard, with what it tells about itself.
func TestGatherWhatServicesTell(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	b := s.Connect(t, "asker")
	_, err := b.Gather(t.Context(), bus.Msg{Subject: "$SRV.STATS.told"}, 20*time.Second)
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	require.ErrorContains(t, err, "is the service running?")

	ctx, cancel := context.WithCancel(t.Context())
	var replicas sync.WaitGroup
	for n := range 3 {
		replicas.Go(func() {
			if err := s.Connect(t, "replica").Serve(ctx, bus.Service{
				Name: "told", Version: "1.0.0", Data: func() any { return map[string]int{"replica": n} },
				Operations: []bus.Operation{{Name: events.OpCIStatus, Handler: func(context.Context, *bus.Request) error { return nil }}},
			}); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		replicas.Wait()
	})
	type told struct {
		Endpoints []struct {
			Data map[string]int `json:"data"`
		} `json:"endpoints"`
	}
	var got []told
	require.Eventually(t, func() bool {
		replies, err := b.Gather(t.Context(), bus.Msg{Subject: "$SRV.STATS.told"}, 500*time.Millisecond)
		if err != nil || len(replies) < 3 {
			return false
		}
		got = nil
		for _, r := range replies {
			var one told
			require.NoError(t, json.Unmarshal(r.Body, &one))
			got = append(got, one)
		}
		return true
	}, 30*time.Second, time.Millisecond)
	seen := map[int]bool{}
	for _, one := range got {
		require.Len(t, one.Endpoints, 2)
		require.Nil(t, one.Endpoints[1].Data)
		seen[one.Endpoints[0].Data["replica"]] = true
	}
	require.Equal(t, map[int]bool{0: true, 1: true, 2: true}, seen)

	canceled, stop := context.WithCancel(t.Context())
	stop()
	silent := b.Subjects().Below("cache.silence")
	go func() { _ = b.Listen(ctx, silent, func(bus.Heard) {}, nil) }()
	require.Eventually(t, func() bool { // somebody hears, and says nothing
		_, err = b.Gather(canceled, bus.Msg{Subject: silent}, 20*time.Second)
		return events.CodeOf(err) == events.CodeCanceled
	}, 20*time.Second, time.Millisecond)
}
