package service_test

import (
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	known, err := service.Keys(newExample().unit(), otherUnit())
	require.NoError(t, err)
	require.Len(t, known, 2)
	require.Subset(t, known["embedder"], []string{"greeting", "example-key", "nats-url", "admin-addr", "drain-timeout", "log-level", "otlp-endpoint"})
	require.NotContains(t, known["embedder"], "default-model")
	require.NotContains(t, known["embedder"], "health", "what is no setting cannot stand in the file")
	require.IsNonDecreasing(t, known["embedder"])
}

func TestKnownSource(t *testing.T) {
	t.Parallel()
	source, err := service.KnownSource(config.Known{"b": {"two", "three"}, "a": nil})
	require.NoError(t, err)
	file, err := parser.ParseFile(token.NewFileSet(), "known_gen.go", source, parser.ParseComments)
	require.NoError(t, err)
	require.Equal(t, "service", file.Name.Name)
	require.Contains(t, string(source), "DO NOT EDIT.\n")
	again, err := service.KnownSource(config.Known{"a": nil, "b": {"two", "three"}})
	require.NoError(t, err)
	require.Equal(t, string(source), string(again))
}

func TestFields(t *testing.T) {
	t.Parallel()
	own, err := newExample().unit().Fields()
	require.NoError(t, err)
	require.Len(t, own, 2)
	common, err := service.CommonFields()
	require.NoError(t, err)
	groups := map[string]string{}
	for _, f := range common {
		groups[f.Name] = f.Group
		require.NotEmpty(t, f.Env, f.Name)
		require.NotEmpty(t, f.Help, f.Name)
		require.False(t, f.Secret && f.Default != "", "%s: a secret has no default", f.Name)
	}
	require.Equal(t, "NATS", groups["nats-url"])
	require.Equal(t, "Logs and traces", groups["log-level"])
	require.Equal(t, "Process", groups["drain-timeout"])
}
