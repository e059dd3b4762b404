package secrettest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// tries is how often one get may ask a provider that fails.
const tries = 3

// bound is how much of an endless answer may leave a provider: what a store reads, with room for what buffers take.
const bound = 16 << 20

// sick returns a provider in a condition, which has something that must not show.
func sick(condition Condition) Provider {
	p := holding(Content{Text: strings.Repeat(Canary+" ", 1000)})
	p.Condition = condition
	return p
}

// ill is a row about a condition: it is said by an error of a kind, for what is there and for what is not, after few requests,
// and before who asks loses patience, whatever the provider says of when to come back.
func ill(condition Condition, kind error) func(*testing.T, Contract) {
	return func(t *testing.T, c Contract) {
		t.Helper()
		s := c.Start(t, sick(condition))
		requireKind(t, s, question{key: key}, kind)
		if s.Wire != nil && condition != Down {
			require.Positive(t, s.Wire.Ill(), "the provider was asked")
			require.LessOrEqual(t, s.Wire.Ill(), tries)
			require.Less(t, s.Wire.Sent(), bound)
		}
		requireKind(t, s, question{key: missing}, kind)
		for _, request := range s.seen() {
			require.NotContains(t, request, elsewhere)
		}
	}
}

func slow(t *testing.T, c Contract) {
	s := c.Start(t, sick(Slow))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := s.get(ctx, question{key: key})
		done <- err
	}()
	require.Eventually(t, func() bool { return len(s.seen()) > 0 && (s.Wire == nil || s.Wire.Ill() > 0) }, patience, time.Millisecond)
	cancel()
	requireEnds(t, done, context.Canceled, nil)

	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	go func() {
		_, err := s.get(ctx, question{key: key})
		done <- err
	}()
	var told error
	if s.Named != nil { // who answers for the provider knows the deadline too, and may say first that it has passed
		told = secret.ErrUnavailable
	}
	requireEnds(t, done, context.DeadlineExceeded, told)
}

// requireEnds waits for the error of a get whose caller has gone. It says so and nothing of the secret, or is of the kind told.
func requireEnds(t *testing.T, done <-chan error, want, told error) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case err := <-done:
		RequireQuiet(t, err)
		if told != nil && errors.Is(err, told) {
			RequireKind(t, err, told)
			return
		}
		require.ErrorIs(t, err, want)
		RequireKind(t, err, nil)
	case <-timeout.C:
		require.Fail(t, "a get goes on when its caller has gone")
	}
}

func cancelled(t *testing.T, c Contract) {
	s := c.Start(t, holding(Content{Text: Canary}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, k := range []string{key, missing} {
		_, err := s.get(ctx, question{key: k})
		require.ErrorIs(t, err, context.Canceled)
		RequireKind(t, err, nil)
		RequireQuiet(t, err)
	}
}

// hostile gives a store references that no [secret.ParseRef] makes.
func hostile(t *testing.T, c Contract) {
	s := c.Start(t, holding(Content{Text: Canary}))
	refs := hostileRefs(s.At(key))
	require.Greater(t, len(refs), 25)
	for _, ref := range refs {
		_, err := s.Store.Get(t.Context(), ref)
		require.ErrorIs(t, err, secret.ErrRef, "%q", ref)
		RequireKind(t, err, secret.ErrDenied)
		RequireQuiet(t, err)
	}
	require.Empty(t, s.seen(), "the provider was asked")
	c.requireValue(t, s, question{key: key}, Canary)
}

// hostileRefs returns references that begin with a good one and lead elsewhere, or would.
func hostileRefs(good secret.Ref) []secret.Ref {
	var refs []secret.Ref
	p := good.Path
	for _, path := range []string{
		"", "/", ".", "..", "../" + p, p + "/..", p + "/../" + p, p + "/../../../../etc/passwd", "./" + p, p + "/.", p + "/", "//" + p, p + "//x",
		"/../" + p, p + "\x00", p + "\x00.txt", p + "\n", p + "\r\nX-Injected: 1", p + "\x7f", "\x1b[2J" + p, p + "\xff", p + " ", " " + p,
		p + "?list=true", p + "#x", p + "%2f..%2f", "%2e%2e/" + p, p + ";x", p + "&x=1", p + "=x", p + "$(id)", p + "`id`", p + `"`, p + `","SecretId":"x`,
		p + `\..\..\x`, p + "*", p + ":x", p + "@x", "https://elsewhere/" + p, "ключ", p + "\u202e", strings.Repeat("a", secret.MaxRef+1),
		"/" + strings.Repeat("../", 32) + "etc/passwd",
	} {
		ref := good
		ref.Path = path
		refs = append(refs, ref)
	}
	for _, part := range []string{".", "..", "../x", "x/..", "x/y", "x?y", "x#y", "x@y", "x y", "x\n", "x\x00", "x%2f", "ключ", "\xff", strings.Repeat("a", secret.MaxRef)} {
		field, version := good, good
		field.Field, version.Version = part, part
		refs = append(refs, field, version)
	}
	for _, store := range []string{"", "other", strings.ToUpper(good.Store), good.Store + "\n"} {
		ref := good
		ref.Store = store
		refs = append(refs, ref)
	}
	refs = append(refs, secret.Ref{})
	hostile := refs[:0]
	for _, ref := range refs {
		parsed, err := secret.ParseRef(ref.String())
		if errors.Is(err, secret.ErrRef) || parsed != ref {
			hostile = append(hostile, ref)
		}
	}
	return hostile
}
