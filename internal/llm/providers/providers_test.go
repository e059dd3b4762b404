package providers_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// read reads a section as a service does whose providers have a size, which must not be odd.
func read(t *testing.T, text string, known ...providers.Provider) (*providers.Directory, map[string]int64, error) {
	t.Helper()
	r := section.New("f.yaml")
	n, err := r.Document([]byte(text))
	require.NoError(t, err)
	sizes := make(map[string]int64)
	d := providers.Read(r, n, providers.Reading{
		API: vendors.Chat, Known: known, Fields: []string{"size"},
		Field: func(provider, field string, value *yaml.Node) { sizes[provider] = r.Whole(value, field, 0, 10) },
		Check: func(p *providers.Provider) error {
			if sizes[p.Name]%2 != 0 {
				return errors.New("the size is odd")
			}
			return nil
		},
	})
	return d, sizes, r.Err()
}

// open makes providers without keys.
func open(names ...string) []providers.Provider {
	var list []providers.Provider
	for _, name := range names {
		list = append(list, providers.Provider{Name: name, Protocol: vendors.OpenAI, BaseURL: "http://localhost:1/v1"})
	}
	return list
}

const file = `
openai: {keys: [secret:openai_api_key, {key: "vault:mlsdm/openai#spare", weight: 3}], headers: {openai-project: p1}, size: 4}
cohere:
  keys:
    - key: file:/run/secrets/cohere
ollama:
house: {protocol: openai, base_url: "http://llm.house:8000/v1", models: [mixtral, org/big]}
west: {protocol: azure, base_url: "https://west.openai.azure.com/openai", keys: [secret:azure], options: {api_version: "2025-01-01"}}
`

func TestRead(t *testing.T) {
	t.Parallel()
	d, sizes, err := read(t, file)
	require.NoError(t, err)
	require.Len(t, d.All(), 5)
	require.Equal(t, "cohere", d.All()[0].Name)
	openai := d.Get("openai")
	require.Equal(t, vendors.OpenAI, openai.Protocol)
	require.Equal(t, vendors.OpenAIBaseURL, openai.BaseURL)
	require.Equal(t, "p1", openai.HTTPHeader().Get("OpenAI-Project"))
	require.Len(t, openai.Keys, 2)
	require.Equal(t, "secret:openai_api_key", openai.Keys[0].Name)
	require.Equal(t, 1, openai.Keys[0].Weight)
	require.Equal(t, 3, openai.Keys[1].Weight)
	require.True(t, openai.Keys[1].Value.IsLive())
	require.Equal(t, map[string]int64{"openai": 4}, sizes)
	require.Equal(t, "http://localhost:11434", d.Get("ollama").BaseURL)
	require.Equal(t, []string{"mixtral", "org/big"}, d.Get("house").Models)
	require.Equal(t, vendors.Azure, d.Get("west").Protocol)
	require.Equal(t, map[string]string{"api_version": "2025-01-01"}, d.Get("west").Options)
	require.Nil(t, d.Get("acme"))
	require.False(t, d.AnyRefused())
	settings := make([]string, 0, 4)
	for _, ref := range d.References() {
		settings = append(settings, ref.Setting+" "+ref.Secret.String())
	}
	require.Equal(t, []string{
		"providers.cohere.keys[0] file:/run/secrets/cohere", "providers.openai.keys[0] secret:openai_api_key",
		"providers.openai.keys[1] vault:mlsdm/openai#spare", "providers.west.keys[0] secret:azure",
	}, settings)
}

// TestSettings: what settings give is there without a file, and completes what a file says.
func TestSettings(t *testing.T) {
	t.Parallel()
	ref, err := secret.NewReference("secret:openai_api_key")
	require.NoError(t, err)
	openai := providers.Setting("openai", vendors.OpenAI, vendors.OpenAIBaseURL, secret.Live(ref))
	echo := providers.Provider{Name: "local", Protocol: vendors.Local, Models: []string{"echo"}}
	d, _, err := read(t, "", openai, echo)
	require.NoError(t, err)
	require.Equal(t, "local/echo, openai/*", d.List(nil))

	d, _, err = read(t, "{openai: {base_url: 'http://proxy/v1', models: [gpt]}, ollama: {keys: [secret:other]}}", openai, echo)
	require.NoError(t, err)
	require.Equal(t, "x, local/echo, ollama/*, openai/gpt", d.List([]string{"x"}))
	require.Equal(t, "http://proxy/v1", d.Get("openai").BaseURL)
	require.Equal(t, "openai-api-key", d.Get("openai").Keys[0].Name, "the file says nothing of keys")
	all := d.References()
	require.Len(t, all, 2)
	others := providers.Others(all, []providers.Provider{openai, echo})
	require.Equal(t, []config.Reference{{Setting: "providers.ollama.keys[0]", Secret: others[0].Secret}}, others, "the settings' own have been seen to")

	openai.Keys = nil
	_, _, err = read(t, "", openai)
	require.ErrorContains(t, err, "takes no request without a key")
	wrong := providers.Setting("openai", vendors.OpenAI, vendors.OpenAIBaseURL, secret.NewValue("sk hunter2"))
	require.ErrorContains(t, providers.CheckSettings([]providers.Provider{echo, wrong})[0], "openai-api-key: the API key holds a character that no key has")
	require.Empty(t, providers.CheckSettings([]providers.Provider{providers.Setting("openai", vendors.OpenAI, "", secret.NewValue("sk-1\n"))}))
	require.Empty(t, providers.Setting("ollama", vendors.Ollama, "", secret.Value{}).Keys)
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[]":                    ":1: providers is a mapping",
		"a: {}":                 ":1: provider a has no protocol; write protocol: openai (or another of openai, azure",
		"\na: {protocol: smtp}": `:2: provider "a": unknown protocol "smtp"; there are openai`,
		"a: {protocol: tei}":    `unknown protocol "tei"`,
		"openai: {}":            "write keys: [secret:openai_api_key]",
		"ollama: {url: x}":      `unknown key "url"; there are protocol, base_url, keys, headers, options, models and size`,
		"ollama: {base_url: x}": "must start with http",
		"ollama: {base_url: 'http://u:hunter2@h'}":  "credentials",
		"ollama: {keys: secret:x}":                  "keys is a list",
		"ollama: {keys: [hunter2]}":                 ":1: a key is a reference",
		"ollama: {keys: [env:A, env:A]}":            "key env:A is there twice",
		"ollama: {headers: {Authorization: x}}":     "credentials belong under keys",
		"ollama: {options: [x]}":                    "options is a mapping",
		"ollama: {models: [a, a]}":                  `model "a" is there twice`,
		"ollama: {size: 11}":                        "size is a whole number of 0 to 10",
		"ollama: {size: 3}":                         `:1: provider "ollama": the size is odd`,
		"local: {base_url: 'http://localhost:1'}":   "no base_url",
		"a/b: {protocol: openai, base_url: http:x}": "no slash",
		"ollama:\nollama:\n":                        ":2: ollama stands there twice, first in line 1",
	} {
		d, _, err := read(t, text)
		require.Error(t, err, text)
		require.ErrorContains(t, err, want, text)
		require.True(t, strings.HasPrefix(err.Error(), "f.yaml:"), err)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, d.List(nil), "odd")
	}
	d, _, err := read(t, "a: {}\nollama:")
	require.Error(t, err)
	require.True(t, d.Refused("a"))
	require.True(t, d.AnyRefused())
	require.False(t, d.Refused("ollama"))
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	many := make([]string, 257)
	for i := range many {
		many[i] = strings.Repeat("a", i%60+1) + strings.Repeat("b", i/60)
	}
	for want, list := range map[string][]providers.Provider{
		`provider "a" is there twice`: open("a", "a"),
		"the name is empty":           open(""),
		"more than 256 providers":     open(many...),
		"must start with http":        {{Name: "a", Protocol: vendors.OpenAI, BaseURL: "localhost"}},
		"one line":                    {{Name: "a", Protocol: vendors.OpenAI, BaseURL: "http://x", Header: map[string]string{"X": "a\nb"}}},
		"keys[0] is empty":            {{Name: "a", Protocol: vendors.OpenAI, BaseURL: "http://x", Keys: []providers.Key{{Name: "k"}}}},
	} {
		_, err := providers.New(vendors.Chat, list)
		require.ErrorContains(t, err, want)
	}
}

// what is what there is.
type what struct{}

func (what) String() string { return "all" }

func TestFind(t *testing.T) {
	t.Parallel()
	list := open("a", "b")
	list[1].Models = []string{"one", "two/three"}
	d, err := providers.New(vendors.Chat, list)
	require.NoError(t, err)
	for name, want := range map[string][2]string{"a/x": {"a", "x"}, "a/org/model:7": {"a", "org/model:7"}, "b/two/three": {"b", "two/three"}} {
		p, model, err := d.Find(name, what{}, nil)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{p.Name, model})
	}
	hint := func(name string) string { return ": is a/" + name + " meant?" }
	for name, c := range map[string]struct {
		code events.Code
		says string
	}{
		"":                             {events.CodeInvalidArgument, `model "" is not a name; available: all`},
		"a b":                          {events.CodeInvalidArgument, ""},
		"a/\x00":                       {events.CodeInvalidArgument, ""},
		strings.Repeat("a/", 200):      {events.CodeInvalidArgument, ""},
		"slow":                         {events.CodeNotFound, `no model "slow": is a/slow meant?; available: all`},
		"a/":                           {events.CodeNotFound, `no model "a/"; available: all`},
		"/x":                           {events.CodeNotFound, ""},
		"c/x":                          {events.CodeNotFound, ""},
		"b/four":                       {events.CodeNotFound, ""},
		strings.Repeat("é", 100) + "/": {events.CodeNotFound, ""},
	} {
		_, _, err := d.Find(name, what{}, hint)
		require.Equal(t, c.code, events.CodeOf(err), name)
		require.ErrorContains(t, err, c.says)
		require.Less(t, len(err.Error()), 300)
	}
	_, _, err = d.Find("slow", what{}, nil)
	require.ErrorContains(t, err, `no model "slow"; available: all`)
}

func TestTargets(t *testing.T) {
	t.Parallel()
	d, _, err := read(t, "a: {protocol: openai, base_url: 'http://x', models: [m]}\nb: {}\nollama:\n")
	require.Error(t, err)
	for name, want := range map[string]string{
		"a/m": "", "ollama/org/x": "", "b/x": "", // of which it was complained about
		"x":       `"x" is not a target; write provider/model`,
		"a/":      `"a/" is not a target`,
		"a/n":     "a/n: provider a has only m",
		"c/x":     `c/x: there is no provider "c"; there are a, ollama`,
		"a/m\tn ": "the name of a model has 1 to 256 bytes",
	} {
		r := section.New("f.yaml")
		provider, model, ok := d.Target(r, &yaml.Node{Line: 7}, name)
		require.Equal(t, want == "", ok, name)
		if ok {
			require.NoError(t, r.Err())
			require.Equal(t, name, provider+"/"+model)
			continue
		}
		require.ErrorContains(t, r.Err(), ":7: ")
		require.ErrorContains(t, r.Err(), want)
	}
	empty, err := providers.New(vendors.Chat, nil)
	require.NoError(t, err)
	require.ErrorContains(t, empty.CheckTarget("a", "m"), "there is none: name it under providers")
	r := section.New("f.yaml")
	_, _, ok := d.Target(r, &yaml.Node{}, "")
	require.False(t, ok)
	require.NoError(t, r.Err(), "it was complained about")
}

func TestLongLists(t *testing.T) {
	t.Parallel()
	list := open("a")
	for i := range 100 {
		list[0].Models = append(list[0].Models, strings.Repeat("m", i+1))
	}
	d, err := providers.New(vendors.Chat, list)
	require.NoError(t, err)
	require.Contains(t, d.List(nil), "and 60 more")
	empty, err := providers.New(vendors.Chat, nil)
	require.NoError(t, err)
	require.Equal(t, "none", empty.List(nil))
}

func TestOptions(t *testing.T) {
	t.Parallel()
	o := providers.NewOptions(map[string]string{"text": "a", "yes": "true", "whole": "7", "list": "a, b"})
	require.Equal(t, "a", o.Text("text"))
	require.True(t, o.Yes("yes"))
	require.Equal(t, 7, o.Whole("whole"))
	require.Equal(t, []string{"a", "b"}, o.List("list"))
	require.Empty(t, o.Text("none"))
	require.False(t, o.Yes("no"))
	require.Zero(t, o.Whole("zero"))
	require.NoError(t, o.Err())

	o = providers.NewOptions(map[string]string{"colour": "red"})
	require.EqualError(t, o.Err(), `there is no option "colour": the protocol has none`)
	o.Text("b")
	o.Text("a")
	require.EqualError(t, o.Err(), `there is no option "colour"; there are: a, b`)
	for text, read := range map[string]func(*providers.Options){
		`option n is "x"; it must be true or false`:          func(o *providers.Options) { o.Yes("n") },
		`option n is "x"; it must be a whole number above 0`: func(o *providers.Options) { o.Whole("n") },
	} {
		o := providers.NewOptions(map[string]string{"n": "x"})
		read(o)
		require.EqualError(t, o.Err(), text)
	}
}
