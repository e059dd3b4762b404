package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/rules"
)

const file = `
secrets:
  openai_api_key: [vault:mlsdm/openai#api_key, env:OPENAI_API_KEY]
  cohere_api_key: ["aws:mlsdm/cohere@AWSPREVIOUS"]
  db_password: {from: ["vault:/database/creds/app#password"], ttl: 1m, max_stale: 0s}
  other.key: {from: [azure:other-key], max_stale: 2h}
policy:
  embedder: [openai_api_key, cohere_*]
  generator: ["vault:mlsdm/*", "env:*", "env:NATS_TOKEN"]
  admin: {get: ["*"], refresh: ["*"]}
  auditor: {list: ["*"]}
  pusher: {refresh: ["vault:*", "db_*"]}
  nobody: []
  "*": [other.key]
`

func parse(t *testing.T, text string) *rules.Rules {
	t.Helper()
	r, err := rules.Parse("secrets.yaml", []byte(text))
	require.NoError(t, err)
	return r
}

func TestParse(t *testing.T) {
	t.Parallel()
	r := parse(t, file)
	require.Equal(t, 4, r.Len())
	require.Equal(t, []string{"aws", "azure", "env", "vault"}, r.Stores())
	require.Equal(t, []string{"*", "admin", "auditor", "embedder", "generator", "nobody", "pusher"}, r.Callers())
	chain, ok := r.Secret("openai_api_key")
	require.True(t, ok)
	require.Equal(t, rules.Secret{From: []secret.Ref{
		{Store: "vault", Path: "mlsdm/openai", Field: "api_key"}, {Store: "env", Path: "OPENAI_API_KEY"},
	}}, chain)
	lent, _ := r.Secret("db_password")
	require.Equal(t, time.Minute, lent.TTL)
	require.Negative(t, lent.MaxStale, "0s is not the default")
	other, _ := r.Secret("other.key")
	require.Equal(t, 2*time.Hour, other.MaxStale)
	_, ok = r.Secret("vault:mlsdm/openai#api_key")
	require.False(t, ok)
	require.Equal(t, []string{"openai_api_key"}, r.NamesOf(secret.Ref{Store: "env", Path: "OPENAI_API_KEY"}))
	require.Empty(t, r.NamesOf(secret.Ref{Store: "env", Path: "OTHER"}))
	for _, nothing := range []string{"", "# nothing\n", "secrets:\npolicy:\n", "null"} {
		require.Zero(t, parse(t, nothing).Len(), nothing)
	}
}

// TestPolicy is the table of who may do what.
func TestPolicy(t *testing.T) {
	t.Parallel()
	r := parse(t, file)
	for _, test := range []struct {
		caller, what       string
		get, list, refresh bool
	}{
		{"embedder", "openai_api_key", true, true, false},
		{"embedder", "cohere_api_key", true, true, false},
		{"embedder", "cohere_", true, true, false},
		{"embedder", "xcohere_api_key", false, false, false},
		{"embedder", "db_password", false, false, false},
		{"embedder", "vault:mlsdm/openai#api_key", false, false, false},
		{"embedder", "env:OPENAI_API_KEY", false, false, false},
		{"embedder", "other.key", true, true, false}, // everyone's
		{"stranger", "other.key", true, true, false},
		{"stranger", "openai_api_key", false, false, false},
		{"nobody", "openai_api_key", false, false, false},
		{"default", "other.key", false, false, false}, // who has no name
		{"", "openai_api_key", false, false, false},
		{"admin", "openai_api_key", true, true, true},
		{"admin", "no_such_thing", true, true, true},
		{"admin", "vault:mlsdm/openai", false, false, false}, // * is all names, and no references
		{"admin", "env:PATH", false, false, false},
		{"auditor", "db_password", false, true, false},
		{"pusher", "db_password", false, false, true},
		{"pusher", "vault:mlsdm/openai", false, false, true},
		{"pusher", "vault:/sys/seal-status", false, false, false}, // behind vault: a * stays within the engine
		{"pusher", "aws:mlsdm/openai", false, false, false},
		{"generator", "vault:mlsdm/openai#api_key@3", true, true, false},
		{"generator", "vault:mlsdmx/openai", false, false, false},
		{"generator", "env:PATH", true, true, false},
		{"generator", "env:VAULT_TOKEN", false, false, false}, // its own credentials no wildcard gives out
		{"generator", "env:SECRETD_SIGNING_KEY", false, false, false},
		{"generator", "env:NATS_TOKEN", true, true, false}, // but its name does
		{"generator", "openai_api_key", false, false, false},
		{"*", "openai_api_key", false, false, false},
	} {
		for right, want := range map[rules.Right]bool{rules.Get: test.get, rules.List: test.list, rules.Refresh: test.refresh} {
			require.Equal(t, want, r.May(test.caller, right, test.what), "%s, %s, right %d", test.caller, test.what, right)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for pattern, texts := range map[string]map[string]bool{
		"a*b*c": {"abc": true, "aXbYc": true, "abcbc": true, "ab": false, "acb": false, "abcd": false},
		"*":     {"": false, "x": true, "x.y": true},
		"**a":   {"a": true, "ba": true, "ab": false},
		"x*":    {"x": true, "xx": true, "y": false},
		"x":     {"x": true, "xx": false},
	} {
		r := parse(t, "policy: {someone: ['"+pattern+"']}")
		for text, want := range texts {
			if text != "" {
				require.Equal(t, want, r.May("someone", rules.Get, text), "%s %s", pattern, text)
			}
		}
	}
	hostile := parse(t, "policy: {someone: ['"+strings.Repeat("a*", 60)+"b']}")
	require.False(t, hostile.May("someone", rules.Get, strings.Repeat("a", 128)), "and in a moment")
}

func TestAfter(t *testing.T) {
	t.Parallel()
	r := parse(t, file)
	names, more := r.After("admin", "", 2)
	require.Equal(t, []string{"cohere_api_key", "db_password"}, names)
	require.True(t, more)
	names, more = r.After("admin", "db_password", 2)
	require.Equal(t, []string{"openai_api_key", "other.key"}, names)
	require.False(t, more)
	names, more = r.After("embedder", "d", 1)
	require.Equal(t, []string{"openai_api_key"}, names)
	require.True(t, more)
	names, more = r.After("embedder", "other.key", 5)
	require.Empty(t, names)
	require.False(t, more)
}

func TestSimple(t *testing.T) {
	t.Parallel()
	name, err := secret.ParseName("key")
	require.NoError(t, err)
	refs := []secret.Ref{{Store: "env", Path: "KEY"}}
	r := rules.Simple([]secret.Name{name}, []string{"embedder", "*"}, func(secret.Name) []secret.Ref { return refs })
	require.True(t, r.May("embedder", rules.Get, "key"))
	require.True(t, r.May("whoever", rules.List, "key"))
	require.False(t, r.May("embedder", rules.Refresh, "key"))
	require.False(t, r.May("default", rules.Get, "key"))
	require.False(t, r.May("embedder", rules.Get, "env:KEY"))
	require.Equal(t, []string{"env"}, r.Stores())
}

// What is not understood is an error that names its line.
func TestFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	for text, complaint := range map[string]string{
		"secrets:\n  a: [env:A]\nextra: 1":                 `secrets.yaml:3: unknown key "extra"`,
		"secrets:\n  a: [env:A]\n  a: [env:B]":             "secrets.yaml:3: a stands there twice, first in line 2",
		"secrets:\n  ../a: [env:A]":                        "secrets.yaml:2: not a name",
		"secrets:\n  a: [gcp:x]":                           "secrets.yaml:2: a: not a reference",
		"secrets:\n  a:\n    - env:A\n    - vault:../x":    "secrets.yaml:4: a: not a reference",
		"secrets:\n  a: [env:A, env:A]":                    "env:A stands there twice",
		"secrets:\n  a: env:A":                             "secrets.yaml:2: a is a list",
		"secrets:\n  a: []":                                "no place",
		"secrets:\n  a:":                                   "a is a list",
		"secrets:\n  a: {ttl: 1m}":                         "no place",
		"secrets:\n  a: {from: [env:A], tll: 1m}":          `unknown key "tll"`,
		"secrets:\n  a: {from: [env:A], ttl: 5}":           "ttl is a duration",
		"secrets:\n  a: {from: [env:A], ttl: 1ms}":         "ttl is a duration",
		"secrets:\n  a: {from: [env:A], max_stale: -1s}":   "max_stale is a duration",
		"secrets:\n  a: {from: [env:A], max_stale: 9999h}": "max_stale is a duration",
		"secrets:\n  a: [[env:A]]":                         "a is a list of texts",
		"secrets:\n  a: &x [env:A]\n  b: *x":               "anchors",
		"secrets:\n  ? [a]\n  : [env:A]":                   "a key must be a plain name",
		"secrets: [a]":                                     "secrets.yaml:1: secrets is a mapping",
		"policy:\n  a.b: [x]":                              "secrets.yaml:2: invalid_argument: the caller has",
		"policy:\n  default: [x]":                          "secrets.yaml:2: default is who has no name",
		"policy:\n  a: ['no pattern']":                     "secrets.yaml:2: a pattern is",
		"policy:\n  a: ['vault:../*']":                     "a pattern is",
		"policy:\n  a: {get: [x], put: [y]}":               `unknown key "put"`,
		"policy:\n  a: x":                                  "a is a list",
		"- a":                                              "the file is a mapping",
		"secrets: {}\n---\npolicy: {}":                     "one YAML document",
		"secrets: [":                                       "secrets.yaml: yaml",
		"secrets: {a: [" + strings.Repeat("env:A,", 1) + manyRefs(17) + "]}": "at most 16",
		strings.Repeat("x", rules.MaxFile+1):                                 "bytes",
		"secrets:\n" + strings.Repeat("  ../a: []\n", 100):                   "there is more that is wrong",
	} {
		r, err := rules.Parse("secrets.yaml", []byte(text))
		require.ErrorContains(t, err, complaint)
		require.Nil(t, r)
		require.Less(t, len(err.Error()), 4096)
	}
}

func manyRefs(n int) string {
	refs := make([]string, n)
	for i := range refs {
		refs[i] = fmt.Sprintf("env:B%d", i)
	}
	return strings.Join(refs, ",")
}

func TestManyNames(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("policy: {all: ['*'], few: [key_19999]}\nsecrets:\n")
	for i := range 20_000 {
		fmt.Fprintf(&text, "  key_%d: [vault:mlsdm/key_%d#value]\n", i, i)
	}
	r := parse(t, text.String())
	require.Equal(t, 20_000, r.Len())
	names, more := r.After("few", "", 1000)
	require.Equal(t, []string{"key_19999"}, names)
	require.False(t, more)
}
