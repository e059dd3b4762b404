package price_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/price"
)

const file = `
version: "2026-11"
models:
  openai/gpt-4o-mini: {input: 0.15, output: 0.60, cached_input: 0.075}
  anthropic/claude: {input: 3, output: 15, cached_input: 0.3, cache_write: 3.75}
  house/*: {input: 1, output: 2}
  house/big-*: {input: 10, output: 20}
  local/*: 0
`

// read reads a section, as it stands in a file.
func read(t *testing.T, text string) (*price.Table, error) {
	t.Helper()
	r := section.New("generator.yaml")
	n, err := r.Document([]byte(text))
	require.NoError(t, err)
	table := price.Read(r, n)
	return table, r.Err()
}

func TestCost(t *testing.T) {
	t.Parallel()
	table, err := read(t, file)
	require.NoError(t, err)
	require.Equal(t, "2026-11", table.Version())
	require.Equal(t, "USD", table.Currency())
	for _, c := range []struct {
		model string
		usage events.ChatUsage
		cost  float64
		known bool
	}{
		{"openai/gpt-4o-mini", events.ChatUsage{PromptTokens: 1_000_000, CompletionTokens: 500_000}, 0.45, true},
		{"openai/gpt-4o-mini", cached(400, 0, 100), (600*0.15 + 400*0.075 + 100*0.6) / 1e6, true},
		{"anthropic/claude", cached(400, 500, 100), (100*3 + 400*0.3 + 500*3.75 + 100*15) / 1e6, true},
		{"anthropic/claude", cached(4000, 500, 0), 1000 * 0.3 / 1e6, true}, // more from the cache than there is
		{"house/small", cached(400, 500, 100), (1000*1 + 100*2) / 1e6, true},
		{"house/big-one", events.ChatUsage{PromptTokens: 1000}, 0.01, true},
		{"house/big-one", events.ChatUsage{PromptTokens: -1000, CompletionTokens: -1}, 0, true},
		{"local/echo", events.ChatUsage{PromptTokens: 1000, CompletionTokens: 1000}, 0, true},
		{"openai/gpt-4o", events.ChatUsage{PromptTokens: 1000, CompletionTokens: 1000}, 0, false},
		{"gpt-4o-mini", events.ChatUsage{PromptTokens: 1000, CompletionTokens: 1000}, 0, false},
	} {
		cost, known := table.Cost(c.model, c.usage)
		require.InDelta(t, c.cost, cost, 1e-12, c.model)
		require.Equal(t, c.known, known, c.model)
	}
	cost, known := table.Estimate("anthropic/claude", 1000, 100)
	require.True(t, known)
	require.InDelta(t, (1000*3.75+100*15)/1e6, cost, 1e-12)
	_, known = table.Estimate("openai/o9", 1000, 100)
	require.False(t, known)

	require.Equal(t, &events.ModelPrice{Input: 0.15, Output: 0.6, CachedInput: 0.075, Version: "2026-11"}, table.Model("openai/gpt-4o-mini"))
	require.Nil(t, table.Model("openai/o9"))
}

// cached is a usage of a thousand tokens of which some was in a cache, and some was put there.
func cached(read, written, completion int) events.ChatUsage {
	return events.ChatUsage{
		PromptTokens: 1000, CompletionTokens: completion,
		PromptTokensDetails: &events.PromptTokensDetails{CachedTokens: read, CacheWriteTokens: written},
	}
}

func TestNoTable(t *testing.T) {
	t.Parallel()
	table := price.Read(section.New("x"), nil)
	cost, known := table.Cost("openai/gpt-4o", events.ChatUsage{PromptTokens: math.MaxInt})
	require.Zero(t, cost)
	require.False(t, known)
	require.Empty(t, table.Version()+table.Currency())
	require.Nil(t, table.Model("openai/gpt-4o"))
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[]":          "generator.yaml:1: prices is a mapping",
		"price: {}":   `generator.yaml:1: unknown key "price"; there are version, currency and models`,
		"version: []": "version is a text",
		"version: '" + strings.Repeat("9", 65) + "'":  "version has 65 bytes",
		"currency: Dollars":                           "currency is a code of three capital letters",
		"models: [a/b]":                               "models is a mapping",
		"models:\n  gpt-4o: 1":                        "generator.yaml:2: a price is that of a model, written provider/model",
		"models:\n  a/b: 1\n  a/b: 2":                 "generator.yaml:3: a/b stands there twice, first in line 2",
		"models: {a/b: {input: 1}}":                   "the price of a/b needs input and output",
		"models: {a/b: {input: 1, output: 2, in: 3}}": `unknown key "in"`,
		"models: {a/b: -1}":                           "the price of a/b is a number of 0 to 1e+06",
		"models: {a/b: .nan}":                         "is a number",
		"models: {a/b: .inf}":                         "is a number",
		"models: {a/b: '1'}":                          "is a number",
		"models: {a/b: {input: 1, output: free}}":     "output is a number",
	} {
		_, err := read(t, text)
		require.ErrorContains(t, err, want, text)
	}
}

// A file of ten thousand prices is read; more than that is not.
func TestManyPrices(t *testing.T) {
	t.Parallel()
	models := map[string]float64{}
	for i := range 10_001 {
		models["a/"+strings.Repeat("x", i%50)+string(rune('a'+i%26))+"-"+strings.Repeat("y", i/50)] = 1
	}
	require.Len(t, models, 10_001)
	text, err := yaml.Marshal(map[string]any{"models": models})
	require.NoError(t, err)
	_, err = read(t, string(text))
	require.ErrorContains(t, err, "there are 10001 prices; at most 10000 are allowed")
}
