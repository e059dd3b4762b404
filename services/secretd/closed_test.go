package secretd_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
)

// TestOnAClosedBus secretd has the rights that it needs, and the services those to ask.
func TestOnAClosedBus(t *testing.T) {
	t.Parallel()
	on := bustest.Start(t, bustest.Closed())
	vault := newFake()
	vault.set("key", "1", canary)
	r := withRulesOn(t, on, "secrets: {key: ['vault:key']}\npolicy: {embedder: {get: [key], refresh: [key]}}", nil, vault)
	generator, err := remote.New(on.Connect(t, "generator"), "generator")
	require.NoError(t, err)
	_, err = generator.Ask(within(t), remote.Question{Name: "key"})
	require.Error(t, err)
	b := on.Connect(t, "embedder")
	embedder, err := remote.New(b, "embedder")
	require.NoError(t, err)
	answer, err := embedder.Ask(within(t), remote.Question{Name: "key"})
	require.NoError(t, err)
	require.Equal(t, canary, answer.Value.Reveal())

	nc := on.User(t, "embedder")
	heard, err := nc.SubscribeSync("mlsdm.events.secret.rotated")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	vault.set("key", "2", canary)
	require.Eventually(t, func() bool {
		answer, err := embedder.Ask(within(t), remote.Question{Name: "key", NoCache: true})
		return err == nil && answer.Version == "2"
	}, patience, 300*time.Millisecond)
	_, err = heard.NextMsg(patience)
	require.NoError(t, err)
	r.stop()
	require.NotContains(t, r.log.String(), "ermissions", "and it does not try what it may not")
}
