package catalog_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
)

// inProcess is the provider of models in the process.
func inProcess() providers.Provider {
	return providers.Provider{Name: "local", Protocol: vendors.Local, Models: []string{"hash-384", "use-lite-512"}}
}

// read reads a file as the service does.
func read(t *testing.T, text string, settings catalog.Settings) (*catalog.Table, error) {
	t.Helper()
	r := section.New("embedder.yaml")
	top, err := r.Document([]byte(text))
	if err != nil {
		return nil, err
	}
	var sections catalog.Sections
	if top != nil {
		for key, value := range r.Pairs(top, "the file") {
			switch key.Value {
			case "default_model":
				sections.DefaultModel = value
			case "providers":
				sections.Providers = value
			case "models":
				sections.Models = value
			}
		}
	}
	settings.Providers = append([]providers.Provider{inProcess()}, settings.Providers...)
	table := catalog.Read(r, sections, settings)
	require.Equal(t, r.Err() == nil, table != nil)
	return table, r.Err()
}

func mustRead(t *testing.T, text string) *catalog.Table {
	t.Helper()
	table, err := read(t, text, catalog.Settings{})
	require.NoError(t, err)
	return table
}

func resolve(t *testing.T, table *catalog.Table, name string) *catalog.Model {
	t.Helper()
	m, err := table.Resolve(name)
	require.NoError(t, err)
	require.Equal(t, name, m.Name)
	return m
}

func targets(m *catalog.Model) string {
	list := make([]string, len(m.Targets))
	for i, target := range m.Targets {
		list[i] = target.String()
	}
	return strings.Join(list, " ")
}

func TestWithNothingConfigured(t *testing.T) {
	t.Parallel()
	table := mustRead(t, "")
	require.Equal(t, "local/use-lite-512", table.Default())
	m := resolve(t, table, table.Default())
	require.Equal(t, 512, m.Dimensions)
	require.Equal(t, "local/use-lite-512", targets(m))
	require.Equal(t, "local/use-lite-512/512", m.SpaceID(512))
	require.Equal(t, "local/hash-384/384", resolve(t, table, "local/hash-384").SpaceID(384))
	require.Equal(t, "local/hash-384, local/use-lite-512", table.String())
	require.Len(t, table.Models(), 2)
	for name, want := range map[string]string{
		"openai/x": `no model "openai/x"; available: local/hash-384, local/use-lite-512`,
		"local/x":  `no model "local/x"; available`,
		"local/":   `no model "local/"; available`,
		"hash-384": `no model "hash-384": is local/hash-384 meant?; available`,
		"bge":      `no model "bge": a model is named as provider/model; available`,
	} {
		_, err := table.Resolve(name)
		require.Equal(t, events.CodeNotFound, events.CodeOf(err), name)
		require.ErrorContains(t, err, want)
	}
	for _, name := range []string{"", "a b", "a/\x00", strings.Repeat("x", 257)} {
		_, err := table.Resolve(name)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), name)
	}
}

const file = `
default_model: bge
providers:
  openai: {keys: [secret:openai_api_key, {key: "vault:mlsdm/openai#spare", weight: 3}], timeout: 30s, in_flight: 8, retries: 0, base64: true}
  tei:
  cohere: {keys: [env:COHERE_API_KEY], headers: {X-Team: blue}}
  huggingface: {keys: [file:/run/secrets/hf], options: {bill_to: me}}
  house: {protocol: openai, base_url: "http://llm.house:8000/v1", models: [BAAI/bge-m3, e5]}
  west: {protocol: azure, base_url: "https://west.openai.azure.com/openai/deployments/small", keys: [secret:azure]}
models:
  small: openai/text-embedding-3-small
  openai/text-embedding-3-small: {revision: "1", max_items: 512, max_tokens: 300000, max_text_tokens: 8192}
  bge:
    targets: [tei/bge-m3, house/BAAI/bge-m3, huggingface/BAAI/bge-m3]
    space: BAAI/bge-m3
    revision: 5617a9f
    dimensions: 1024
    pooling: cls
    other_space: small
  house/e5: {prefixes: {query: "query: ", document: "passage: "}, normalize: false, matryoshka: [512, 256, 512]}
  spare: [house/e5]
  cohere/embed-v4.0: {output_type: int8}
  bits: {targets: [cohere/embed-multilingual-v3.0], revision: "2", output_type: ubinary}
  float: {targets: [cohere/embed-english-v3.0], output_type: float}
`

func TestRead(t *testing.T) {
	t.Parallel()
	table := mustRead(t, file)
	byName := make(map[string]catalog.Provider)
	for _, p := range table.Providers() {
		byName[p.Name] = p
	}
	require.Len(t, byName, 7)
	openai := byName["openai"]
	require.Equal(t, vendors.OpenAIBaseURL, openai.BaseURL)
	require.Equal(t, "30s", openai.Timeout.String())
	require.Equal(t, 8, openai.InFlight)
	require.Equal(t, 0, *openai.Retries)
	require.True(t, openai.Base64)
	require.Equal(t, catalog.Provider{Provider: *table.Get("tei")}, byName["tei"])
	require.Len(t, table.References(), 5)

	require.Equal(t, "bge", table.Default())
	bge := resolve(t, table, "bge")
	require.Equal(t, "tei/bge-m3 house/BAAI/bge-m3 huggingface/BAAI/bge-m3", targets(bge))
	require.Equal(t, "BAAI/bge-m3@5617a9f/1024", bge.SpaceID(1024))
	require.Equal(t, catalog.PoolingCLS, bge.Pooling)
	require.Equal(t, "small", bge.Other)
	require.True(t, bge.Normalize)
	// A target by its own name gives the same vectors.
	alone := resolve(t, table, "huggingface/BAAI/bge-m3")
	require.Equal(t, "huggingface/BAAI/bge-m3", targets(alone))
	require.Equal(t, bge.SpaceID(1024), alone.SpaceID(1024))
	require.Equal(t, catalog.PoolingCLS, alone.Pooling)
	require.Equal(t, "small", alone.Other)

	// A name for one model says what is said of the model, and what is known of it.
	small := resolve(t, table, "small")
	require.Equal(t, "openai/text-embedding-3-small@1/256", small.SpaceID(256))
	require.Equal(t, llm.EmbedLimits{Items: 512, Tokens: 300_000, ItemTokens: 8192}, small.Limits)
	require.Equal(t, 1536, small.Dimensions)
	require.True(t, small.Matryoshka)

	e5 := resolve(t, table, "spare")
	require.Equal(t, "house/e5/256/raw", e5.SpaceID(256))
	require.Equal(t, "query: ", e5.Prefix("query"))
	require.Equal(t, "passage: ", e5.Prefix("document"))
	require.Empty(t, e5.Prefix(""))
	require.Equal(t, []int{256, 512}, e5.Sizes)
	require.True(t, e5.Matryoshka)

	// What is quantised lies in a space of its own.
	v4 := resolve(t, table, "cohere/embed-v4.0")
	require.Equal(t, "cohere/embed-v4.0@int8/1536", v4.SpaceID(1536))
	require.Equal(t, llm.OutputInt8, v4.Output)
	for _, name := range []string{"bits", "cohere/embed-multilingual-v3.0"} {
		bits := resolve(t, table, name)
		require.Equal(t, "cohere/embed-multilingual-v3.0@2-ubinary/1024", bits.SpaceID(1024))
		require.Equal(t, llm.OutputUbinary, bits.Output)
	}
	require.Equal(t, "cohere/embed-english-v3.0/1024", resolve(t, table, "float").SpaceID(1024))

	// Of others, only what their vendors say.
	for name, want := range map[string]int{
		"openai/text-embedding-3-large": 3072, "west/text-embedding-ada-002": 1536, "cohere/embed-v3.0": 0,
		"cohere/embed-english-light-v3.0": 384, "openai/other": 0, "tei/text-embedding-3-large": 0,
	} {
		m := resolve(t, table, name)
		require.Equal(t, want, m.Dimensions, name)
		require.Equal(t, name, m.Space, "one provider's vectors are not another's")
		require.Nil(t, m.Prefixes)
	}
	require.Equal(t, []int{256, 512, 1024, 1536}, resolve(t, table, "cohere/embed-v4.0").Sizes)
	_, err := table.Resolve("text-embedding-3-large")
	require.ErrorContains(t, err, "is openai/text-embedding-3-large or west/text-embedding-3-large meant?")
	_, err = table.Resolve("house/other")
	require.ErrorContains(t, err, "available: bge, bits, float, small, spare, cohere/*, house/BAAI/bge-m3, house/e5, ")
}

// What the settings say goes before the file, and the file before what is taken for granted.
func TestSettings(t *testing.T) {
	t.Parallel()
	openai := providers.Setting("openai", vendors.OpenAI, vendors.OpenAIBaseURL, secret.NewValue("sk-1"))
	settings := catalog.Settings{Providers: []providers.Provider{openai}, Base64: "openai"}
	table, err := read(t, "", settings)
	require.NoError(t, err)
	require.Equal(t, "openai/text-embedding-3-small", table.Default())
	require.Empty(t, table.References())
	table, err = read(t, "default_model: local/hash-384\nproviders: {openai: {in_flight: 3}}\n", settings)
	require.NoError(t, err)
	require.Equal(t, "local/hash-384", table.Default())
	require.Equal(t, 3, table.Providers()[1].InFlight)
	require.True(t, table.Providers()[1].Base64)
	require.False(t, table.Providers()[0].Base64)
	require.Equal(t, "openai-api-key", table.Providers()[1].Keys[0].Name, "the file says nothing of keys")
	settings.DefaultModel = "openai/x"
	table, err = read(t, "default_model: local/hash-384\n", settings)
	require.NoError(t, err)
	require.Equal(t, "openai/x", table.Default())
}

func TestCheckDimensions(t *testing.T) {
	t.Parallel()
	whole, sized, fixed := catalog.Model{Name: "m", Dimensions: 1536, Matryoshka: true}, catalog.Model{Name: "m", Dimensions: 512, Matryoshka: true, Sizes: []int{128, 256}}, catalog.Model{Name: "m", Dimensions: 100}
	unknown := catalog.Model{Name: "m"}
	for _, c := range []struct {
		model          catalog.Model
		wanted, pinned int
		code           events.Code
		says           string
	}{
		{whole, 0, 0, "", ""},
		{whole, 1, 0, "", ""},
		{whole, 1536, 0, "", ""},
		{whole, 1537, 0, events.CodeInvalidArgument, "the vectors of m have 1536"},
		{whole, -1, 0, events.CodeInvalidArgument, "must be positive"},
		{sized, 256, 0, "", ""},
		{sized, 512, 0, "", ""},
		{sized, 300, 0, events.CodeUnsupported, "can have 128, 256"},
		{fixed, 0, 0, "", ""},
		{fixed, 100, 100, "", ""},
		{fixed, 100, 0, "", ""},
		{unknown, 100, 0, "", ""}, // its server may know
		{unknown, 99, 100, "", ""},
		{unknown, 101, 100, events.CodeInvalidArgument, "the vectors of m have 100"},
		{fixed, 99, 100, events.CodeUnsupported, "cannot be cut: they have 100"},
		{fixed, 101, 100, events.CodeInvalidArgument, "the vectors of m have 100"},
	} {
		err := c.model.CheckDimensions(c.wanted, c.pinned)
		require.Equal(t, c.code, events.CodeOf(err), "%+v", c)
		if err != nil {
			require.ErrorContains(t, err, c.says)
		}
	}
}

// TestResolveAllocates: a model that is named costs nothing.
func TestResolveAllocates(t *testing.T) { //nolint:paralleltest // counts allocations
	table := mustRead(t, file)
	for name, most := range map[string]float64{"bge": 0, "tei/bge-m3": 0, "local/hash-384": 0, "openai/text-embedding-3-large": 3} {
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
			if _, err := table.Resolve(name); err != nil {
				t.Error(err)
			}
		}), most+0.5, name)
	}
}
