//go:build containers

package containers_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/chaos"
)

// patience is how long is waited for what must happen.
const patience = 3 * time.Minute

// TestMinorityPartition parts one of three servers from all else. Who writes there is refused in bounded time, the others go on, and
// afterwards everything that was acked is there, once, on either side.
func TestMinorityPartition(t *testing.T) {
	s := startTrio(t)
	minority, majority := s.client(t, "client", s.ports[2:]), s.client(t, "client", s.ports[:2])
	var acked []string
	publish := func(c *client.Client, id string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.PublishEvent(ctx, events.Event{ID: id, Type: "custom.partition", Data: []byte(`{"a":1}`)})
		if err == nil {
			acked = append(acked, id)
		}
		return err
	}
	require.NoError(t, publish(minority, "before"))

	run := chaos.Runner{Run: chaos.Exec, Log: new(bytes.Buffer)}
	parted, err := run.Inject(t.Context(), chaos.Fault{
		Kind: chaos.Partition, Target: s.container("nats-3"), Away: []string{
			s.container("nats"), s.container("nats-2"), s.container("dispatcher"), s.container("embedder"), s.container("generator"),
			s.container("secretd"), s.container("ciwatch"),
		},
	})
	require.NoError(t, err)
	healed := false
	heal := func() {
		if !healed {
			healed = true
			require.NoError(t, parted.Heal(context.WithoutCancel(t.Context())))
		}
	}
	t.Cleanup(heal)

	codes := map[events.Code]int{}
	for i := range 6 {
		began := time.Now()
		err := publish(minority, fmt.Sprintf("minority-%d", i))
		require.Error(t, err, "a minority acks nothing")
		require.Less(t, time.Since(began), 15*time.Second)
		codes[events.CodeOf(err)]++
	}
	t.Logf("the minority is told %v", codes)
	require.Equal(t, map[events.Code]int{events.CodeUnavailable: 6}, codes)
	for i := range 50 {
		until(t, func() bool { return publish(majority, fmt.Sprintf("majority-%d", i)) == nil }, "the majority goes on")
	}

	heal()
	began := time.Now()
	until(t, func() bool { return publish(minority, "after") == nil }, "the minority writes again")
	t.Logf("the minority writes again after %s", time.Since(began).Round(100*time.Millisecond))
	js := s.admin(t, s.ports[2:])
	there := map[string]int{}
	each(t, js, "MLSDM_EVENTS", "mlsdm.events.custom.partition", func(m jetstream.Msg) { there[m.Headers().Get(events.HeaderMsgID)]++ })
	for _, id := range acked {
		require.Equal(t, 1, there[id], "%s was acked", id)
	}
	until(t, func() bool {
		stream, err := js.Stream(t.Context(), "MLSDM_EVENTS")
		if err != nil || stream.CachedInfo().Cluster == nil {
			return false
		}
		current := 0
		for _, r := range stream.CachedInfo().Cluster.Replicas {
			if r.Current && !r.Offline {
				current++
			}
		}
		return current == 2
	}, "all replicas have all")
}
