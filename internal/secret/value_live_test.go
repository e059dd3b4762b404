package secret_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// changing is a content that is another one when it is asked for anew.
type changing struct {
	mu        sync.Mutex
	now, next string
	asked     []string // what was refused
}

// Current implements [secret.Source].
func (c *changing) Current() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Renew implements [secret.Source].
func (c *changing) Renew(_ context.Context, refused string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, refused)
	c.now = c.next
}

func TestLiveValue(t *testing.T) {
	t.Parallel()
	from := &changing{now: "old", next: "new"}
	v := secret.Live(from)
	kept := v // as configurations are copied
	require.True(t, v.IsLive())
	require.False(t, v.IsZero())
	require.False(t, v.IsPending())
	require.Equal(t, "old", v.Reveal())

	text, changed := v.Renew(t.Context(), "old")
	require.True(t, changed)
	require.Equal(t, "new", text)
	require.Equal(t, "new", kept.Reveal())
	text, changed = v.Renew(t.Context(), "old")
	require.True(t, changed, "it has changed already")
	require.Equal(t, "new", text)
	require.Equal(t, []string{"old"}, from.asked, "so that nobody was asked again")
	_, changed = v.Renew(t.Context(), "new")
	require.False(t, changed)

	from.next = ""
	text, changed = v.Renew(t.Context(), "new")
	require.False(t, changed, "nothing is not worth a try")
	require.Empty(t, text)
	require.True(t, v.IsPending())
	require.False(t, v.IsZero(), "it is set all the same")
}

func TestPlainValueIsNotLive(t *testing.T) {
	t.Parallel()
	for _, v := range []secret.Value{{}, secret.NewValue("text")} {
		require.False(t, v.IsLive())
		require.False(t, v.IsPending())
		require.Nil(t, v.Reference())
		text, changed := v.Renew(t.Context(), v.Reveal())
		require.False(t, changed)
		require.Equal(t, v.Reveal(), text)
	}
	require.Nil(t, secret.Live(&changing{}).Reference())
}

// What is not live costs what it did.
func TestPlainValueAllocates(t *testing.T) {
	v, n := secret.NewValue("text"), 0
	require.Zero(t, testing.AllocsPerRun(100, func() { n += len(v.Reveal()) }))
	require.NotZero(t, n)
}

func TestReference(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		store, name string
		local       bool
	}{
		"secret:openai_api_key":      {"secret", "openai_api_key", false},
		"vault:mlsdm/openai#key@3":   {"vault", "vault:mlsdm/openai#key@3", false},
		"aws:mlsdm/openai":           {"aws", "aws:mlsdm/openai", false},
		"azure:openai-key":           {"azure", "azure:openai-key", false},
		"env:OPENAI_API_KEY":         {"env", "OPENAI_API_KEY", true},
		"file:/run/secrets/openai":   {"file", "/run/secrets/openai", true},
		"file:/run/secrets/with@a#b": {"file", "/run/secrets/with@a#b", true},
	} {
		require.True(t, secret.IsReference(text), text)
		r, err := secret.NewReference(text)
		require.NoError(t, err, text)
		require.Equal(t, text, r.String())
		require.Equal(t, []any{want.store, want.name, want.local}, []any{r.Store(), r.Name(), r.IsLocal()})

		v := secret.Live(r)
		require.Same(t, r, v.Reference())
		require.Nil(t, r.Bound())
		require.True(t, v.IsPending())
		_, changed := v.Renew(t.Context(), "")
		require.False(t, changed)
		r.Bind(&changing{now: "old", next: "new"})
		require.NotNil(t, r.Bound())
		require.Equal(t, "old", v.Reveal())
		renewed, changed := v.Renew(t.Context(), "old")
		require.True(t, changed)
		require.Equal(t, "new", renewed)
	}
	for _, text := range []string{
		"secret:", "secret:../x", "secret:a b", "secret:" + strings.Repeat("x", secret.MaxName+1), "vault:", "vault:../" + canary, "env:A B" + canary,
		"file:" + canary, "aws:a//" + canary, "azure:" + canary + "/x",
	} {
		require.True(t, secret.IsReference(text), text)
		_, err := secret.NewReference(text)
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), canary, "it may be the secret itself")
	}
	for _, text := range []string{"", "sk-" + canary, "secret", "Secret:x", "https://x", "whsec_abc", " secret:x", "vault"} {
		require.False(t, secret.IsReference(text), text)
	}
}
