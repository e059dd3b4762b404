package secrettest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// fields is a content with texts and others.
func fields() Content {
	return Content{Fields: map[string]any{
		"api_key": "sk-" + Canary, "user.name-1": "пользователь " + Canary, "number": 31337, "object": map[string]any{"a": Canary},
		"list": []any{Canary}, "null": nil,
	}}
}

func field(t *testing.T, c Contract) {
	s := c.Start(t, holding(fields()))
	for name, text := range fields().Fields {
		if text, ok := text.(string); ok {
			c.requireValue(t, s, question{key: key, field: name}, text)
		}
	}
}

// badField is a row about fields that cannot be had.
func badField(names ...string) func(*testing.T, Contract) {
	return func(t *testing.T, c Contract) {
		t.Helper()
		s := c.Start(t, holding(fields()))
		for _, name := range names {
			requireKind(t, s, question{key: key, field: name}, secret.ErrUnusable)
		}
	}
}

func fieldOfText(t *testing.T, c Contract) {
	s := c.Start(t, holding(Content{Text: Canary}))
	requireKind(t, s, question{key: key, field: "api_key"}, secret.ErrUnusable)
}

// history is a secret of three versions.
func history() Provider {
	return Provider{Secrets: map[string]Secret{
		key:   {Versions: []Content{{Text: "1st " + Canary}, {Text: "2nd " + Canary}, {Text: "3rd " + Canary}}},
		other: one(Content{Text: "other " + Canary}),
	}}
}

func pinned(t *testing.T, c Contract) {
	s := c.Start(t, history())
	for n, text := range []string{"1st ", "2nd ", "3rd "} {
		version := s.Version(key, n)
		entry := c.requireValue(t, s, question{key: key, version: version}, text+Canary)
		require.Equal(t, version, entry.Version)
	}
	entry := c.requireValue(t, s, question{key: key}, "3rd "+Canary)
	require.Equal(t, s.Version(key, 2), entry.Version)
}

func pinnedMissing(t *testing.T, c Contract) {
	s := c.Start(t, history())
	requireKind(t, s, question{key: key, version: s.Version(key, 7)}, secret.ErrNotFound)
	requireKind(t, s, question{key: missing, version: s.Version(key, 0)}, secret.ErrNotFound)
}

func rotated(t *testing.T, c Contract) {
	s := c.Start(t, holding(Content{Text: "1st " + Canary}))
	before := c.requireValue(t, s, question{key: key}, "1st "+Canary)
	again := c.requireValue(t, s, question{key: key}, "1st "+Canary)
	require.Equal(t, before.Version, again.Version, "the same value has the same version")
	s.Rotate(key, Content{Text: "2nd " + Canary})
	after := c.requireValue(t, s, question{key: key}, "2nd "+Canary)
	require.NotEqual(t, before.Version, after.Version)
	require.NotEmpty(t, after.Version)
	RequireNoCanary(t, before.Version+after.Version)
}

func gone(t *testing.T, c Contract) {
	s := c.Start(t, Provider{Secrets: map[string]Secret{
		key: {Versions: []Content{{Text: Canary}}, Gone: true}, other: one(Content{Text: "other " + Canary}),
	}})
	requireKind(t, s, question{key: key}, secret.ErrGone)
	c.requireValue(t, s, question{key: other}, "other "+Canary)
}
