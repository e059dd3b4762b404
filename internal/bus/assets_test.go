package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// apply plans, applies and returns what was changed.
func apply(ctx context.Context, b *bus.Bus, cfg provision.Config) (changed []string, err error) {
	steps, err := provision.Plan(ctx, b, cfg)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		changed = append(changed, s.Changes...)
	}
	return changed, provision.Apply(ctx, steps, nil)
}

func TestApplyMendsWhatSomebodyChanged(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	js, err := jetstream.New(s.Conn(t))
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), "MLSDM_REQUESTS")
	require.NoError(t, err)
	sc := stream.CachedInfo().Config
	sc.Discard, sc.MaxMsgs, sc.MaxConsumers = jetstream.DiscardOld, 10, 7 // the last is not ours to decide
	_, err = js.UpdateStream(t.Context(), sc)
	require.NoError(t, err)
	consumer, err := stream.Consumer(t.Context(), events.ConsumerEmbedder)
	require.NoError(t, err)
	cc := consumer.CachedInfo().Config
	cc.MaxDeliver = 3 // the server would then forget messages without a dead letter
	_, err = stream.UpdateConsumer(t.Context(), cc)
	require.NoError(t, err)
	kv, err := js.Stream(t.Context(), "KV_mlsdm_ci")
	require.NoError(t, err)
	kc := kv.CachedInfo().Config
	kc.MaxMsgsPerSubject, kc.MaxAge = 9, time.Hour
	_, err = js.UpdateStream(t.Context(), kc)
	require.NoError(t, err)

	b := s.Connect(t, "test")
	changed, err := apply(t.Context(), b, provision.Default())
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"Discard: old -> new", "MaxMsgs: 10 -> 0", "MaxDeliver: 3 -> -1", "History: 9 -> 2"}, changed)
	changed, err = apply(t.Context(), b, provision.Default())
	require.NoError(t, err)
	require.Empty(t, changed)
	kv, err = js.Stream(t.Context(), "KV_mlsdm_ci")
	require.NoError(t, err)
	require.Equal(t, time.Hour, kv.CachedInfo().Config.MaxAge, "what the catalogue does not speak of stays")
}

func TestApplySaysThatThereIsNoJetStream(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Bare(), bustest.Configure(func(o *server.Options) { o.JetStream = false })).Connect(t, "test")
	_, err := apply(t.Context(), b, provision.Default())
	require.ErrorContains(t, err, "JetStream is not switched on")
}

func TestApplySaysThatThereAreNotEnoughServers(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Bare()).Connect(t, "test")
	cfg := provision.Default()
	cfg.Replicas = 3
	_, err := apply(t.Context(), b, cfg)
	require.ErrorContains(t, err, "stream MLSDM_EVENTS: replicas is 3")
}

func TestInstallationsDoNotTouchEachOther(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	cfg := s.Config()
	cfg.Prefix = "other"
	other, err := bus.Connect(t.Context(), cfg, "other", bus.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close(context.Background())) })
	missing, err := other.Missing(t.Context(), events.ServiceEmbedder)
	require.NoError(t, err)
	require.Contains(t, missing, "stream OTHER_REQUESTS")
	_, err = apply(t.Context(), other, provision.Default())
	require.NoError(t, err)

	ours := s.Connect(t, "ours")
	changed, err := apply(t.Context(), ours, provision.Default())
	require.NoError(t, err)
	require.Empty(t, changed)
	ack, err := other.Publish(t.Context(), bus.Msg{Subject: other.Subjects().Event("custom.x"), Body: []byte(`{}`)})
	require.NoError(t, err)
	require.Equal(t, "OTHER_EVENTS", ack.Stream)
	n, err := ours.StreamMessages(t.Context(), "MLSDM_EVENTS")
	require.NoError(t, err)
	require.Zero(t, n)
	kv, err := other.KV(t.Context(), events.BucketCI)
	require.NoError(t, err)
	_, err = kv.Create(t.Context(), "k", []byte("theirs"))
	require.NoError(t, err)
	kv, err = ours.KV(t.Context(), events.BucketCI)
	require.NoError(t, err)
	_, _, err = kv.Get(t.Context(), "k")
	require.ErrorIs(t, err, bus.ErrNotFound)
}
