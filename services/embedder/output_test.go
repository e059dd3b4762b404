package embedder_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/shape"
)

// typed is how Cohere answers vectors of the first type that is asked for.
func typed(types any, list [][]float32) map[string]any {
	asked, _ := types.([]any)
	if len(asked) == 0 {
		return nil
	}
	kind, _ := asked[0].(string)
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
		if kind != "float" && kind != "base64" {
			out[i] = quantise(kind, v)
		}
		if kind == "base64" {
			out[i] = events.Vector{Values: v, Base64: true}
		}
	}
	return map[string]any{kind: out}
}

// quantise makes of numbers of -1 to 1 those of a type: bytes, or bits packed into bytes, the first into the highest.
func quantise(kind string, v []float32) []int {
	var out []int
	for i, number := range v {
		switch kind {
		case "int8":
			out = append(out, int(number*127))
		case "uint8":
			out = append(out, int(number*127)+128)
		default:
			if i%8 == 0 {
				out = append(out, 0)
			}
			if number > 0 {
				out[len(out)-1] |= 1 << (7 - i%8)
			}
		}
	}
	if kind == "binary" {
		for i := range out {
			out[i] -= 128
		}
	}
	return out
}

// TestOutputTypes: what is quantised lies in a space of its own, with a number for each dimension, and is never taken for the floating
// point of the same model, although it is the same text at the same server, and all of it is kept.
func TestOutputTypes(t *testing.T) {
	t.Parallel()
	r := serve(t, `
providers:
  cohere: {base_url: "$m/v2", keys: ["$key"], base64: true}
  int8: {protocol: cohere, base_url: "$m/v2", keys: ["$key"]}
  uint8: {protocol: cohere, base_url: "$m/v2", keys: ["$key"]}
  binary: {protocol: cohere, base_url: "$m/v2", keys: ["$key"]}
  ubinary: {protocol: cohere, base_url: "$m/v2", keys: ["$key"]}
models:
  cohere/m: {space: m}
  int8/m: {space: m, output_type: int8}
  uint8/m: {space: m, output_type: uint8, revision: "7"}
  binary/m: {space: m, output_type: binary, normalize: false}
  bits: {targets: [ubinary/m], space: m, output_type: ubinary}
`)
	m := r.model(t, "m")
	const text = "a"
	whole := normal(text, 8)
	var signs []float32
	for _, number := range whole {
		sign := float32(1)
		if number < 0 {
			sign = -1
		}
		signs = append(signs, sign)
	}
	ones, _ := shape.Normalize(append([]float32(nil), signs...))
	seen := make(map[string]bool)
	for _, c := range []struct {
		model, asked, space, revision string
		check                         func(v []float32)
	}{
		{"cohere/m", "base64", "m/8", "", func(v []float32) { require.Equal(t, whole, v) }},
		{"int8/m", "int8", "m@int8/8", "int8", func(v []float32) { require.Greater(t, cosine(whole, v), 0.999) }},
		{"uint8/m", "uint8", "m@7-uint8/8", "7-uint8", func(v []float32) { require.Greater(t, cosine(whole, v), 0.999) }},
		{"binary/m", "binary", "m@binary/8/raw", "binary", func(v []float32) { require.Equal(t, signs, v) }},
		{"bits", "ubinary", "m@ubinary/8", "ubinary", func(v []float32) { require.Equal(t, ones, v) }},
	} {
		calls := len(m.requests())
		for range 2 { // the second time, from the cache
			res := r.embed(t, c.model, []string{text})
			c.check(res.Data[0].Embedding.Values)
			require.Equal(t, c.space, res.Space.ID)
			require.Equal(t, c.revision, res.Space.Revision)
			require.Equal(t, 8, res.Space.Dimensions)
		}
		require.Len(t, m.requests(), calls+1, "%s: one call, and what it made is kept", c.model)
		require.Equal(t, []any{c.asked}, m.last().Fields["embedding_types"])
		require.False(t, seen[c.space])
		seen[c.space] = true
	}
	require.NotEqual(t, whole, r.embed(t, "int8/m", []string{text}).Data[0].Embedding.Values)
}

// TestOutputTypeThatIsNotAnswered: floating point in the place of what was asked for is a bad answer, and never a vector.
func TestOutputTypeThatIsNotAnswered(t *testing.T) {
	t.Parallel()
	r := serve(t, `
providers:
  cohere: {base_url: "$m/v2", keys: ["$key"], retries: 0}
models:
  cohere/m: {output_type: binary}
`)
	r.model(t, "m").answer(func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		reply(w, map[string]any{"embeddings": map[string]any{"float": [][]float32{normal(a.Texts[0], 8)}}})
		return true
	})
	require.Contains(t, r.refused(t, "cohere/m", []string{"a"}).Message, "it has no embeddings.binary")
}
