package secrettest

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Row names a behaviour.
type Row string

// The rows.
const (
	RowFound         Row = "values come back as they are"
	RowNotFound      Row = "what is not there is not found"
	RowEmpty         Row = "an empty value is none"
	RowLargest       Row = "64 KiB are a value"
	RowTooLarge      Row = "64 KiB and one byte are none"
	RowUnicode       Row = "unicode"
	RowBinaryText    Row = "bytes that are a text are one"
	RowBinary        Row = "bytes that are no text cannot be used"
	RowField         Row = "a field of several"
	RowFieldMissing  Row = "a field that is not there cannot be used"
	RowFieldNoText   Row = "a field that is no text cannot be used"
	RowFieldNoFields Row = "a text without fields has none"
	RowPinned        Row = "a pinned version stays what it is"
	RowPinnedMissing Row = "a version that is not there is not found"
	RowRotated       Row = "a new value is seen and has another version"
	RowGone          Row = "deleted or disabled is gone"
	RowDenied        Row = "credentials that do not reach so far are denied"
	RowExpired       Row = "credentials that have expired are denied"
	RowThrottled     Row = "throttled is unavailable, at once"
	RowBroken        Row = "broken is unavailable"
	RowDown          Row = "down is unavailable, and never not found"
	RowSlow          Row = "waiting ends with its caller"
	RowHalf          Row = "half an answer is none"
	RowGarbage       Row = "what is no answer of theirs is none"
	RowEndless       Row = "an answer without an end is not read to it"
	RowRedirected    Row = "nobody is sent elsewhere"
	RowHostile       Row = "hostile references reach nobody"
	RowMany          Row = "many may ask at once"
	RowCancelled     Row = "who has gone gets no answer"
	RowQuiet         Row = "a store prints nothing of what it knows"
)

type row struct {
	name Row
	run  func(t *testing.T, c Contract)
}

func rows() []row {
	return []row{
		{RowFound, found},
		{RowNotFound, notFound},
		{RowEmpty, content(Content{}, secret.ErrNotFound)},
		{RowLargest, content(Content{Text: largest()}, nil)},
		{RowTooLarge, content(Content{Text: largest() + "x"}, secret.ErrUnusable)},
		{RowUnicode, content(Content{Text: "пароль 密码 🔑\u200b\u0301" + Canary}, nil)},
		{RowBinaryText, content(Content{Binary: []byte("ключ " + Canary)}, nil)},
		{RowBinary, content(Content{Binary: []byte("\xff\xfe\x00" + Canary)}, secret.ErrUnusable)},
		{RowField, field},
		{RowFieldMissing, badField("missing")},
		{RowFieldNoText, badField("number", "object", "list", "null")},
		{RowFieldNoFields, fieldOfText},
		{RowPinned, pinned},
		{RowPinnedMissing, pinnedMissing},
		{RowRotated, rotated},
		{RowGone, gone},
		{RowDenied, ill(Denied, secret.ErrDenied)},
		{RowExpired, ill(Expired, secret.ErrDenied)},
		{RowThrottled, ill(Throttled, secret.ErrUnavailable)},
		{RowBroken, ill(Broken, secret.ErrUnavailable)},
		{RowDown, ill(Down, secret.ErrUnavailable)},
		{RowSlow, slow},
		{RowHalf, ill(Half, secret.ErrUnavailable)},
		{RowGarbage, ill(Garbage, secret.ErrUnavailable)},
		{RowEndless, ill(Endless, secret.ErrUnavailable)},
		{RowRedirected, ill(Redirected, secret.ErrUnavailable)},
		{RowHostile, hostile},
		{RowMany, many},
		{RowCancelled, cancelled},
		{RowQuiet, quiet},
	}
}

// Keys of the suite. Providers have others beside the one that a row is about, so that a wrong one would be noticed.
const (
	key     = "openai_api_key"
	other   = "db.main-password"
	missing = "absent"
)

// absent are keys that no provider of the suite has.
func absent() []string { return []string{missing, key + "x", key[:3], strings.Repeat("a", 64)} }

// Keys returns what the suite asks a provider for, whether it has it or not.
func (p Provider) Keys() []string { return append(slices.Collect(maps.Keys(p.Secrets)), absent()...) }

func largest() string { return Canary + strings.Repeat("x", secret.MaxValue-len(Canary)) }

// one is a secret of one version.
func one(c Content) Secret { return Secret{Versions: []Content{c}} }

// holding returns a provider that is well and has one content under key.
func holding(c Content) Provider {
	return Provider{Secrets: map[string]Secret{key: one(c), other: one(Content{Text: "other " + Canary})}}
}

func found(t *testing.T, c Contract) {
	texts := map[string]string{
		key: "sk-" + Canary, other: " " + Canary + " \t", "lines": Canary + "\nsecond line\n", "json": `{"key":"` + Canary + `"}`,
		"quotes": `"'` + "`" + Canary + `\$(x)%s`, "nul": Canary + "\x01",
	}
	secrets := map[string]Secret{}
	for k, text := range texts {
		secrets[k] = one(Content{Text: text})
	}
	s := c.Start(t, Provider{Secrets: secrets})
	for k, text := range texts {
		entry := c.requireValue(t, s, question{key: k}, text)
		if s.Version != nil {
			require.Equal(t, s.Version(k, 0), entry.Version)
		}
	}
}

func notFound(t *testing.T, c Contract) {
	s := c.Start(t, holding(Content{Text: Canary}))
	for _, name := range absent() {
		requireKind(t, s, question{key: name}, secret.ErrNotFound)
	}
}

// content is a row about one value: it comes back, or the error is of a kind.
func content(what Content, kind error) func(*testing.T, Contract) {
	return func(t *testing.T, c Contract) {
		t.Helper()
		s := c.Start(t, holding(what))
		if kind != nil {
			requireKind(t, s, question{key: key}, kind)
			return
		}
		c.requireValue(t, s, question{key: key}, what.Text+string(what.Binary))
	}
}

func many(t *testing.T, c Contract) {
	s := c.Start(t, holding(Content{Text: "sk-" + Canary}))
	want := map[string]string{key: "sk-" + Canary, other: "other " + Canary}
	var all sync.WaitGroup
	for range 16 {
		for k, text := range want {
			all.Go(func() {
				entry, err := s.get(t.Context(), question{key: k})
				if err != nil || entry.Value.Reveal() != text {
					t.Errorf("a concurrent get of %s failed: %v", k, err)
				}
			})
		}
	}
	all.Wait()
}

func quiet(t *testing.T, c Contract) {
	s := c.Start(t, holding(Content{Text: Canary}))
	c.requireValue(t, s, question{key: key}, Canary)
	if s.Store != nil {
		require.Equal(t, c.Source, s.Store.Source())
		RequireQuiet(t, s.Store)
	} else {
		RequireQuiet(t, s.Named)
	}
}
