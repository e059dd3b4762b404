package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestSpaces(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	out, errs, code := atServer(t.Context(), s, "", "spaces", "list")
	require.Zero(t, code, errs)
	require.Contains(t, out, "nothing is known yet")
	out, _, code = atServer(t.Context(), s, "", "spaces", "list", "--json")
	require.Zero(t, code)
	require.Equal(t, "[]\n", out)

	out, errs, code = atServer(t.Context(), s, "", "spaces", "accept", "a/b@2", "--dimensions", "384", "--yes")
	require.Zero(t, code, errs)
	require.Equal(t, "Vectors of a/b@2: they have 384 numbers; there was nothing known of it\n", out)
	out, errs, code = atServer(t.Context(), s, "", "spaces", "accept", "a/b", "--dimensions", "512", "-y", "--json")
	require.Zero(t, code, errs)
	require.JSONEq(t, `{"model":"a/b","before":384,"dimensions":512}`, out)
	out, _, code = atServer(t.Context(), s, "", "spaces", "list")
	require.Zero(t, code)
	require.Regexp(t, `(?m)^a/b@2 +512 +[0-9: -]+ an operator$`, out)
	out, _, code = atServer(t.Context(), s, "", "spaces", "list", "--json")
	require.Zero(t, code)
	var list []map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.InDelta(t, 512, list[0]["dimensions"], 0)

	b := s.Connect(t, "test")
	kv, err := b.KV(t.Context(), events.BucketSpaces)
	require.NoError(t, err)
	_, err = kv.Create(t.Context(), spaces.Key("broken/one", ""), []byte("{"))
	require.NoError(t, err)
	out, _, code = atServer(t.Context(), s, "", "spaces", "list")
	require.Zero(t, code)
	require.Regexp(t, `(?m)^broken/one +cannot be read: `, out)

	out, errs, code = atServer(t.Context(), s, "", "spaces", "forget", "broken/one", "-y")
	require.Zero(t, code, errs)
	require.Equal(t, "Vectors of broken/one: its next vector says how long they are; what was known of it could not be read\n", out)
	out, _, code = atServer(t.Context(), s, "", "spaces", "accept", "a/b@2", "-y")
	require.Zero(t, code)
	require.Contains(t, out, "they had 512")
	_, errs, code = atServer(t.Context(), s, "", "spaces", "forget", "a/b", "-y")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "not_found")
}

// Nothing is changed unless somebody agrees to it.
func TestSpacesAsk(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	_, errs, code := atServer(t.Context(), s, "y\n", "spaces", "forget", "a/b")
	require.Equal(t, 2, code)
	require.Contains(t, errs, "say --yes")
	_, errs, code = atServer(t.Context(), s, "", "spaces", "accept", "a/b", "-y", "--dimensions", "65537")
	require.Equal(t, 2, code)
	require.Contains(t, errs, "it must be 1 to 65536")
	_, errs, code = atServer(t.Context(), s, "", "spaces", "list")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "mlsdm_spaces")
}
