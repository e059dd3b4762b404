package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
)

// What is wrong is said with its line, and what would be right.
func TestMistakes(t *testing.T) {
	t.Parallel()
	const providers = "providers:\n  a: {protocol: openai, base_url: http://localhost:1}\n  b: {protocol: tei, base_url: http://localhost:2, models: [m]}\nmodels:\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"protocol":           {"providers:\n  a: {protocol: anthropic, base_url: http://localhost:1}\n", []string{`:2: provider "a": unknown protocol "anthropic"; there are openai, azure, cohere, huggingface, tei, ollama and local`}},
		"provider's key":     {"providers:\n  tei: {url: x}\n", []string{`:2: unknown key "url"; there are protocol, base_url`}},
		"timeout":            {"providers:\n  tei: {timeout: 2h}\n", []string{":2: timeout is a duration of 1ms to 1h0m0s"}},
		"in_flight":          {"providers:\n  tei: {in_flight: 0}\n", []string{":2: in_flight is a whole number of 1 to 4096"}},
		"retries":            {"providers:\n  tei: {retries: -1}\n", []string{":2: retries is a whole number of 0 to 20"}},
		"base64":             {"providers:\n  tei: {base64: 1}\n", []string{":2: base64 is true or false"}},
		"base64 of Ollama":   {"providers:\n  ollama: {base64: true}\n", []string{":2: ", "cannot be asked for by the protocol ollama"}},
		"models":             {providers + "  - a\n", []string{":5: models is a mapping"}},
		"no target":          {providers + "  x: {targets: []}\n", []string{":5: x has no targets; write targets: [provider/model, …]"}},
		"no targets":         {providers + "  x: {dimensions: 3}\n", []string{":5: x has no targets"}},
		"nothing":            {providers + "  x:\n", []string{":5: x has no targets"}},
		"alias of one":       {providers + "  x: a/m\n  y: x\n", []string{`:6: "x" is not a target; write provider/model`}},
		"no such provider":   {providers + "  x: {targets: [a/m, c/m], space: s}\n", []string{`:5: c/m: there is no provider "c"; there are a, b, local`}},
		"no such model":      {providers + "  x: [b/n]\n", []string{":5: b/n: provider b has only m"}},
		"target twice":       {providers + "  x: {targets: [a/m, a/m], space: s}\n", []string{":5: a/m is there twice"}},
		"target's name":      {providers + "  x: [\"a/m n\"]\n", []string{":5: the name of a model has 1 to 256 bytes"}},
		"too many targets":   {providers + "  x: {space: s, targets: [" + many(65) + "]}\n", []string{":5: x has 65 targets; there must be 1 to 64"}},
		"no space":           {providers + "  x: [a/m, b/m]\n", []string{":5: x has several targets, whose vectors can be compared only if they serve the same model; say which"}},
		"targets of one":     {providers + "  a/m: {targets: [b/m]}\n", []string{":5: a/m is one model of one provider; targets belong to a name without a slash"}},
		"single, provider":   {providers + "  c/m: {dimensions: 3}\n", []string{`:5: c/m: there is no provider "c"`}},
		"name":               {providers + "  \"x y\": a/m\n", []string{":5: an alias has 1 to 256 bytes, and no white space"}},
		"model's key":        {providers + "  a/m: {dimension: 3}\n", []string{`:5: unknown key "dimension"; there are targets, space`}},
		"output_type":        {providers + "  a/m: {output_type: int4}\n", []string{`:5: unknown output_type "int4"; there are float, int8, uint8, binary and ubinary`}},
		"output_type, no":    {providers + "  a/m: {output_type: int8}\n", []string{":5: output_type: a/m cannot be asked for: the protocol openai has no types of output; cohere has"}},
		"one space, types":   {"providers:\n  cohere: {keys: [env:K]}\nmodels:\n  cohere/a: {space: s, output_type: int8}\n  cohere/b: {space: s, revision: int8}\n", []string{":5: cohere/b and cohere/a, in line 4, say that they are the same model (s@int8), and not the same of its output_type"}},
		"dimensions":         {providers + "  a/m: {dimensions: 0}\n  a/n: {dimensions: 65537}\n", []string{":5: dimensions is a whole number of 1 to 65536", ":6: dimensions"}},
		"matryoshka":         {providers + "  a/m: {matryoshka: 3}\n", []string{":5: matryoshka is true, false, or a list of lengths"}},
		"matryoshka, length": {providers + "  a/m: {matryoshka: [x]}\n", []string{":5: a length is a whole number"}},
		"matryoshka, long":   {providers + "  a/m: {dimensions: 3, matryoshka: [4]}\n", []string{":5: a/m cannot be cut to 4: its vectors have 3"}},
		"normalize":          {providers + "  a/m: {normalize: sometimes}\n", []string{":5: normalize is true or false"}},
		"prefixes":           {providers + "  a/m: {prefixes: \"query: \"}\n", []string{":5: prefixes is a mapping"}},
		"prefix's type":      {providers + "  a/m: {prefixes: {passage: \"p: \"}}\n", []string{`:5: unknown input type "passage"; there are query, document, classification and clustering`}},
		"prefix, binary":     {providers + "  a/m: {prefixes: {query: !!binary /w==}}\n", []string{":5: a prefix is text in UTF-8"}},
		"prefix, zero":       {providers + "  a/m: {prefixes: {query: \"a\\0\"}}\n", []string{":5: a prefix is text in UTF-8 without zero bytes"}},
		"prefix, long":       {providers + "  a/m: {prefixes: {query: " + strings.Repeat("x", 4097) + "}}\n", []string{":5: a prefix is text"}},
		"pooling":            {providers + "  a/m: {pooling: average}\n", []string{`:5: unknown pooling "average"; there are mean, cls, max and last`}},
		"max_items":          {providers + "  a/m: {max_items: 0, max_tokens: 0, max_text_tokens: x}\n", []string{":5: max_items is", ":5: max_tokens is", ":5: max_text_tokens is"}},
		"revision":           {providers + "  a/m: {revision: a/b}\n  a/n: {revision: a@b}\n", []string{":5: revision has 1 to 64 letters, digits, -, _ and .", ":6: revision"}},
		"space":              {providers + "  a/m: {space: a@1}\n  a/n: {space: a b}\n", []string{":5: space is the name of a model", ":6: space is"}},
		"two spaces": {providers + "  a/m: {revision: \"1\"}\n  x: {targets: [b/m, a/m], space: s}\n", []string{
			":6: the vectors of a/m lie in one space: a/m@1 by a/m in line 5, s by x; say the same space and revision in both",
		}},
		"two names, two spaces": {providers + "  x: {targets: [a/m], space: s}\n  y: {targets: [a/m], space: s, revision: \"2\"}\n", []string{":6: the vectors of a/m lie in one space: s by x in line 5, s@2 by y"}},
		"one space, dimensions": {providers + "  x: {targets: [a/m], space: s, dimensions: 3}\n  b/m: {space: s, dimensions: 4}\n", []string{
			":5: x and b/m, in line 6, say that they are the same model (s), and not the same of its dimensions",
		}},
		"one space, prefixes": {providers + "  a/m: {space: s, prefixes: {query: q}}\n  b/m: {space: s}\n", []string{"not the same of its prefixes"}},
		"one space, pooling":  {providers + "  a/m: {space: s, pooling: mean}\n  b/m: {space: s}\n", []string{"not the same of its pooling"}},
		"other_space":         {providers + "  a/m: {other_space: c/m}\n", []string{`:5: other_space: no model "c/m"; available`}},
		"other_space, itself": {providers + "  a/m: {other_space: a/m}\n", []string{":5: other_space: a/m lies in the same space; make it a target"}},
		"other_space, same":   {providers + "  x: {targets: [a/m, b/m], space: s, other_space: b/m}\n", []string{":5: other_space: b/m lies in the same space"}},
		"other_space, circle": {providers + "  a/m: {other_space: x}\n  x: {targets: [b/m], other_space: a/n}\n  a/n: {other_space: a/m}\n", []string{
			":5: other_space leads in a circle: a/m, x, a/n, a/m", ":6: other_space leads in a circle", ":7: other_space leads in a circle",
		}},
		"other_space, circle of spaces": {providers + "  x: {targets: [a/m, b/m], space: s, other_space: a/n}\n  a/n: {other_space: b/m}\n", []string{
			":5: other_space leads in a circle: x, a/n, b/m", ":6: other_space leads in a circle",
		}},
		"default_model":   {providers + "  x: a/m\ndefault_model: y\n", []string{`:6: default_model: no model "y": a model is named as provider/model; available: x, a/*`}},
		"no default":      {"default_model: [x]\n", []string{":1: default_model is a text"}},
		"all at once":     {providers + "  x: {targets: 7, dimensions: x}\n  a/m: {space: 1 2}\n", []string{":5: ", ":6: space is"}},
		"a wrong one":     {"providers:\n  a: {protocol: x}\nmodels:\n  x: {targets: [a/m, local/hash-384], space: s, other_space: a/n}\ndefault_model: a/m\n", []string{":2: "}},
		"of the settings": {"providers: {local: {models: [\"\"]}}\n", []string{":1: a model is a text"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, c.text, catalog.Settings{})
			require.Error(t, err)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "hunter2")
			if name == "a wrong one" {
				require.Len(t, strings.Split(err.Error(), "\n"), 1, "what follows from it is not told: %v", err)
			}
		})
	}
}

// many is a list of n targets.
func many(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("a/m%d", i)
	}
	return strings.Join(list, ", ")
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	_, err := read(t, "", catalog.Settings{Providers: []providers.Provider{{Name: "x", Protocol: vendors.OpenAI, BaseURL: "localhost"}}})
	require.ErrorContains(t, err, `provider "x": the base URL must start with http`)
}

func FuzzRead(f *testing.F) {
	f.Add(file)
	f.Add("models: {a/b: {matryoshka: [1], prefixes: {query: x}}, c: [local/hash-384]}")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := read(t, text, catalog.Settings{})
		if err != nil {
			return
		}
		for _, m := range table.Models() {
			got, err := table.Resolve(m.Name)
			require.NoError(t, err)
			require.Same(t, m, got)
			require.NotEmpty(t, m.Targets)
			require.NotEmpty(t, m.SpaceID(1))
		}
		_ = table.String()
		_, _ = table.Resolve(text)
	})
}
