package declared_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/declared"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const whole = `# everything
endpoints:
  - id: billing
    url: https://example.com/hook
    description: |
      two
      lines
    metadata: {team: pay, version: 1.10, on: yes}
    events: [ci.*, custom.>]
    filter: data.score < 0.5
    format: cloudevents
    headers:
      Authorization: secret:billing_token
    signing:
      - {method: v1a}
      - key: env:BILLING_KEY
    body_signature: true
    retry: standard
    timeout: 5s
    rate_limit:
      per_second: 2.5
      burst: 10
    concurrency: 8
    ordering: none
    tls:
      ca: |
        -----BEGIN CERTIFICATE-----
        eA==
        -----END CERTIFICATE-----
      server_name: hooks.internal
    disabled: true
  - id: audit
    url: secret:audit_url
    events: ">"
    retry: [5s, 5m]
    filter: null
`

func parsed() []events.EndpointSpec {
	return []events.EndpointSpec{
		{
			ID: "billing", URL: "https://example.com/hook", Description: "two\nlines\n", Metadata: map[string]string{"team": "pay", "version": "1.10", "on": "yes"},
			Events: []string{"ci.*", "custom.>"}, Filter: "data.score < 0.5", Format: "cloudevents", Headers: map[string]string{"Authorization": "secret:billing_token"},
			Signing: []events.EndpointSigning{{Method: "v1a"}, {Key: "env:BILLING_KEY"}}, BodySignature: true, Retry: []string{"standard"}, Timeout: "5s",
			RateLimit: &events.EndpointRate{PerSecond: 2.5, Burst: 10}, Concurrency: 8, Ordering: "none", Disabled: true,
			TLS: &events.EndpointTLS{CA: "-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----\n", ServerName: "hooks.internal"},
		},
		{ID: "audit", URL: "secret:audit_url", Events: []string{">"}, Retry: []string{"5s", "5m"}},
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	endpoints, err := declared.Parse("hooks.yaml", []byte(whole))
	require.NoError(t, err)
	require.Len(t, endpoints, 2)
	want := parsed()
	require.Equal(t, want[0], endpoints[0].EndpointSpec)
	require.Equal(t, want[1], endpoints[1].EndpointSpec)
	require.Equal(t, 3, endpoints[0].Line)

	none, err := declared.Parse("hooks.yaml", []byte("endpoints: []"))
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestFormatIsReadAgain(t *testing.T) {
	t.Parallel()
	specs := append(parsed(), events.EndpointSpec{
		ID: "odd", URL: "https://example.com/?a=<b>&c", Description: "yes", Filter: `type == "a: b" # ü 😀`, Metadata: map[string]string{"1": "1.0", "null": "~", "x": " \t"},
	})
	text, err := declared.Format(specs)
	require.NoError(t, err)
	require.Contains(t, string(text), "endpoints:\n  - id: billing\n    url: https://example.com/hook\n")
	require.Contains(t, string(text), "ca: |\n")
	endpoints, err := declared.Parse("out", text)
	require.NoError(t, err)
	var again []events.EndpointSpec
	for _, e := range endpoints {
		again = append(again, e.EndpointSpec)
	}
	require.Equal(t, specs, again)

	text, err = declared.Format(nil)
	require.NoError(t, err)
	require.Equal(t, "endpoints: []\n", string(text))
}

// TestFormatOfAnyText: whoever may make an endpoint writes its description, and must not break the export of all others.
func TestFormatOfAnyText(t *testing.T) {
	t.Parallel()
	for _, block := range [][2]rune{{0, 0x300}, {0x2000, 0x2100}, {0xfe00, 0x10010}} {
		for r := block[0]; r < block[1]; r++ {
			for _, text := range []string{string(r), "a" + string(r) + "\n", " " + string(r) + "\n\tb", "\n" + string(r) + " \n b\n\n"} {
				specs := []events.EndpointSpec{{ID: "a", URL: "https://example.com", Description: text, Metadata: map[string]string{text: text}}}
				written, err := declared.Format(specs)
				require.NoError(t, err, "%q", text)
				read, err := declared.Parse("f", written)
				require.NoError(t, err, "%q", text)
				require.Equal(t, specs[0], read[0].EndpointSpec)
			}
		}
	}
}

func TestMistakesAreNamedWithTheirLines(t *testing.T) {
	t.Parallel()
	one := func(lines string) string { return "endpoints:\n  - id: a\n    url: https://example.com\n" + lines }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":              {"", []string{"hooks.yaml is empty"}},
		"only a comment":     {"# nothing", []string{"hooks.yaml is empty"}},
		"null":               {"---\n", []string{"hooks.yaml:", "endpoints"}},
		"a list":             {"- id: a", []string{"hooks.yaml:1", "endpoints"}},
		"another top":        {"hooks: []", []string{"hooks.yaml:1", `no field "hooks"`}},
		"not a list":         {"endpoints: a", []string{"hooks.yaml:1", "endpoints"}},
		"no YAML":            {"endpoints: [", []string{"hooks.yaml", "yaml"}},
		"two documents":      {"endpoints: []\n---\nendpoints: []", []string{"one YAML document"}},
		"unknown field":      {one("    ur: x\n"), []string{"hooks.yaml:4", `"endpoints[0].ur"`, "body_signature"}},
		"nearly a field":     {one("    rateLimit: {per_second: 1}\n"), []string{"hooks.yaml:4", `did you mean "rate_limit"?`}},
		"singular":           {one("    event: x\n"), []string{"hooks.yaml:4", `did you mean "events"?`}},
		"unknown below":      {one("    rate_limit:\n      per_minute: 1\n"), []string{"hooks.yaml:5", `"endpoints[0].rate_limit.per_minute"`, "per_second"}},
		"unknown in a list":  {one("    signing:\n      - method: v1\n        kid: 1\n"), []string{"hooks.yaml:6", `"endpoints[0].signing[0].kid"`}},
		"twice":              {one("    url: https://example.org\n"), []string{"hooks.yaml:4", "twice, first in line 3"}},
		"twice in a table":   {one("    metadata: {a: 1, a: 2}\n"), []string{"hooks.yaml:4", "endpoints[0].metadata.a stands there twice"}},
		"id twice":           {one("  - id: a\n    url: https://example.org\n"), []string{"hooks.yaml:4", "endpoint a", "line 2"}},
		"text for a number":  {one("    concurrency: many\n"), []string{"hooks.yaml:4", "whole number", `"many"`}},
		"text for a rate":    {one("    rate_limit: {per_second: fast}\n"), []string{"hooks.yaml:4", "is a number"}},
		"no rate":            {one("    rate_limit: {per_second: .nan}\n"), []string{"hooks.yaml:4", "a number"}},
		"text for a switch":  {one("    disabled: maybe\n"), []string{"hooks.yaml:4", "true or false"}},
		"a tag for a switch": {one("    disabled: !!bool yes\n"), []string{"hooks.yaml:4", "true or false"}},
		"list for a text":    {one("    filter: [a]\n"), []string{"hooks.yaml:4", "single value"}},
		"text for a list":    {one("    signing: v1\n"), []string{"hooks.yaml:4", "a list is expected"}},
		"text for fields":    {one("    tls: yes\n"), []string{"hooks.yaml:4", "fields are expected"}},
		"text for a table":   {one("    headers: x\n"), []string{"hooks.yaml:4", "names with their values"}},
		"anchors":            {one("    description: &d x\n    filter: *d\n"), []string{"hooks.yaml:4", "hooks.yaml:5", "aliases"}},
		"merge":              {one("    <<: {filter: x}\n"), []string{"hooks.yaml:4", "plain name"}},
		"out of bounds":      {one("    concurrency: 5000\n"), []string{"hooks.yaml:2", "endpoint a", "concurrency", "1024"}},
		"no such format":     {one("    format: xml\n"), []string{"hooks.yaml:2", "format"}},
		"a wait without end": {one("    timeout: 15\n"), []string{"hooks.yaml:2", "timeout", "duration"}},
		"no id":              {"endpoints:\n  - url: https://example.com\n", []string{"hooks.yaml:2", "endpoints[0]", "id"}},
		"no URL":             {"endpoints:\n  - id: a\n", []string{"hooks.yaml:2", "url"}},
		"every mistake":      {one("    a: 1\n    b: 2\n"), []string{"hooks.yaml:4", "hooks.yaml:5"}},
		"too large":          {strings.Repeat("#", declared.MaxFile+1), []string{"more than"}},
		"a bomb":             {"a: &a [x,x]\nb: &b [*a,*a]\nendpoints: [*b]", []string{"hooks.yaml:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := declared.Parse("hooks.yaml", []byte(c.text))
			require.Error(t, err)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	was := events.EndpointSpec{
		ID: "a", URL: "https://a", Events: []string{"ci.*"}, Metadata: map[string]string{"team": "x", "old": "1"}, Retry: []string{"fast"},
		RateLimit: &events.EndpointRate{PerSecond: 5},
	}
	is := events.EndpointSpec{
		ID: "a", URL: "https://b?x&y", Events: []string{"ci.*", ">"}, Metadata: map[string]string{"team": "x", "new": "2"},
		RateLimit: &events.EndpointRate{PerSecond: 5, Burst: 9}, TLS: &events.EndpointTLS{CA: "pem"},
	}
	changes, err := declared.Diff(was, is)
	require.NoError(t, err)
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	require.Equal(t, []declared.Change{
		{"events", raw(`["ci.*"]`), raw(`["ci.*",">"]`)},
		{"metadata.new", nil, raw(`"2"`)},
		{"metadata.old", raw(`"1"`), nil},
		{"rate_limit.burst", nil, raw(`9`)},
		{"retry", raw(`["fast"]`), nil},
		{"tls.ca", nil, raw(`"pem"`)},
		{"url", raw(`"https://a"`), raw(`"https://b?x&y"`)},
	}, changes)

	changes, err = declared.Diff(was, was)
	require.NoError(t, err)
	require.Empty(t, changes)
}
