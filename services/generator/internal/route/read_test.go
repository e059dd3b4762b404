package route_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// read reads a file as the service does.
func read(t *testing.T, text string) (*route.Table, error) {
	t.Helper()
	r := section.New("generator.yaml")
	top, err := r.Document([]byte(text))
	if err != nil {
		return nil, err
	}
	var entries, models *yaml.Node
	if top != nil {
		for key, value := range r.Pairs(top, "the file") {
			switch key.Value {
			case "providers":
				entries = value
			case "models":
				models = value
			}
		}
	}
	table := route.Read(r, entries, models, nil)
	require.Equal(t, r.Err() == nil, table != nil)
	return table, r.Err()
}

const file = `
providers:
  openai: {keys: [secret:openai_api_key, {key: "vault:mlsdm/openai#spare", weight: 3}], headers: {OpenAI-Project: p1}}
  anthropic: {keys: [env:ANTHROPIC_API_KEY]}
  cohere:
    keys:
      - key: file:/run/secrets/cohere
  ollama:
  house: {protocol: openai, base_url: "http://llm.house:8000/v1", models: [mixtral, org/big]}
  west: {protocol: azure, base_url: "https://west.openai.azure.com/openai", keys: [secret:azure], options: {api_version: "2025-01-01"}}
models:
  fast:
    - ["openai/gpt-4o-mini x3", "anthropic/claude-haiku ×1"]
    - [cohere/command-r]
    - ollama/llama3
  careful:
    targets:
      - {target: openai/gpt-4o, weight: 2}
      - [house/org/big, {target: west/gpt-4o}]
    cache: true
    timeout: 5m
    answer: 4m
    first_token: 2m
    idle: 45s
    retries: 0
  small: openai/gpt-4o-mini
  other: {target: house/mixtral, weight: 7}
`

func TestRead(t *testing.T) {
	t.Parallel()
	table, err := read(t, file)
	require.NoError(t, err)
	require.Len(t, table.All(), 6)
	require.Len(t, table.References(), 5)

	r, err := table.Resolve("fast")
	require.NoError(t, err)
	require.Equal(t, [][]route.Target{
		{
			{Provider: "openai", Model: "gpt-4o-mini", ID: "openai/gpt-4o-mini", Weight: 3},
			{Provider: "anthropic", Model: "claude-haiku", ID: "anthropic/claude-haiku", Weight: 1},
		},
		{{Provider: "cohere", Model: "command-r", ID: "cohere/command-r", Weight: 1}},
		{{Provider: "ollama", Model: "llama3", ID: "ollama/llama3", Weight: 1}},
	}, r.Tiers)

	r, err = table.Resolve("careful")
	require.NoError(t, err)
	require.Equal(t, 0, *r.Options.Retries)
	r.Options.Retries = nil
	require.Equal(t, route.Options{Cache: true, Timeout: 5 * time.Minute, Answer: 4 * time.Minute, FirstToken: 2 * time.Minute, Idle: 45 * time.Second}, r.Options)
	require.Equal(t, 2, r.Tiers[0][0].Weight)
	require.Equal(t, "house/org/big west/gpt-4o", ids(r.Tiers[1]))

	for alias, want := range map[string]string{"small": "openai/gpt-4o-mini", "other": "house/mixtral"} {
		r, err := table.Resolve(alias)
		require.NoError(t, err)
		require.Equal(t, want, ids(r.Order(nil, nil)))
	}
}

func TestReadNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "providers:\nmodels:\n", "null"} {
		table, err := read(t, text)
		require.NoError(t, err, text)
		require.Equal(t, "none", table.String())
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const known = "providers: {a: {protocol: openai, base_url: 'http://x/v1'}}\nmodels:\n"
	for text, want := range map[string]string{
		"providers: []":                             ":1: providers is a mapping",
		"providers: {a: {}}":                        ":1: provider a has no protocol; write protocol: openai",
		known + "  a/b: a/x":                        ":3: a/b: an alias has no slash",
		known + "  x: a":                            `:3: "a" is not a target; write provider/model`,
		known + "  x: []":                           ":3: x has no targets; write [provider/model, …]",
		known + "  x: [[]]":                         ":3: a tier has at least one target",
		known + "  x:":                              ":3: a target is a text",
		known + "  x: {cache: true}":                ":3: x has no targets; write targets:",
		known + "  x: {targets: a/x, cache: maybe}": "this is true or false",
		known + "  x: {targets: a/x, idle: 0s}":     "idle is a duration of 1ms to 1h0m0s",
		known + "  x: {targets: a/x, retries: 11}":  "retries is a whole number of 0 to 10",
		known + "  x: {targets: a/x, patience: 3}":  `unknown key "patience"`,
		known + "  x: [a/x, b/y]":                   `:3: b/y: there is no provider "b"; there are a`,
		known + "  x: [a/x, [a/y, a/x]]":            ":3: x: a/x is there twice",
		known + "  x: a/x x0":                       `the weight of a target is x1 to x1000, as in "a/x x3"`,
		known + "  x: a/x 3":                        "the weight of a target",
		known + "  x: a/x x3 x4":                    "the weight of a target",
		known + "  x: [{target: a/x, wait: 3}]":     `unknown key "wait"`,
		known + "  x: [{weight: 3}]":                "a target is provider/model, or {target:",
		known + "  x: &y a/x\n  z: *y":              "anchors and aliases are not supported",
	} {
		_, err := read(t, text)
		require.Error(t, err, text)
		require.ErrorContains(t, err, want, text)
		require.True(t, strings.HasPrefix(err.Error(), "generator.yaml:"), err)
	}
}

// TestReadTellsOfEachOnce: what follows from a mistake is not complained about again, and a key is not repeated.
func TestReadTellsOfEachOnce(t *testing.T) {
	t.Parallel()
	const canary = "sk-canary-31337"
	_, err := read(t, "providers:\n  openai: {keys: ["+canary+"]}\nmodels: {x: [openai/gpt, openai/other]}\n")
	require.ErrorContains(t, err, "generator.yaml:2: a key is a reference")
	require.NotContains(t, err.Error(), canary)
	require.NotContains(t, err.Error(), "models")
	require.NotContains(t, err.Error(), "there is no provider")
}

func FuzzRead(f *testing.F) {
	f.Add(file)
	f.Add("providers: {a: {protocol: openai}}\nmodels: {x: [[{target: a/b}]]}")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := read(t, text)
		if err != nil {
			return
		}
		for _, r := range table.Aliases() {
			require.Len(t, r.Order(nil, func() float64 { return 0.5 }), r.Targets())
		}
	})
}
