package scrub_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/scrub"
)

// A disguise that a reader or a program sees through hides nothing; what is innocent stays as it was written.
func TestDisguisesAreSeenThrough(t *testing.T) {
	t.Parallel()
	s := scrub.New(scrub.Options{})
	for name, text := range map[string]string{
		"wide digits":        "４１１１ １１１１ １１１１ １１１１",
		"Arabic digits":      "٤١١١١١١١١١١١١١١١",
		"bold digits":        "𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏",
		"spaces that hold":   "4111\u00a01111\u00a01111\u00a01111",
		"dashes":             "4111–1111–1111–1111",
		"a phone":            "＋49 170 1234567",
		"split by nothing":   "sk-proj-abcdef\u200bGHIJKL0123456789mnopqrst",
		"a name split":       "pass\u200bword=correcthorse",
		"an address, wide":   "jane＠example.com",
		"URL-encoded pair":   "x%26password%3Dcorrecthorse",
		"URL-encoded URL":    "https%3A%2F%2Fbob%3Acorrecthorse%40bus%3A4222",
		"URL-encoded phone":  "%2B491701234567",
		"URL-encoded bearer": "Bearer%20a1b2c3d4e5f6g7",
	} {
		clean := s.Text(text)
		require.Contains(t, clean, scrub.Redacted, name)
		require.NotContains(t, clean, "correcthorse", name)
		require.Equal(t, clean, s.Text(clean), name)
	}
	for _, text := range []string{"Ａｎｔｗｏｒｔ", "100%", "50%20", "a\u200db", "–", "٤٢", "https://example.com/a%20b", "%zz%4"} {
		require.Equal(t, text, s.Text(text))
	}
}

// Bytes that are no UTF-8 would have the whole batch refused, by our own encoder at that.
func TestTextsAreUTF8(t *testing.T) {
	t.Parallel()
	s := scrub.New(scrub.Options{})
	for _, text := range []string{"\xff", "a\xc3", strings.Repeat("w ", 2047) + "ü" + strings.Repeat("w ", 99), "sk-proj-abcdefGHIJKL0123456789\xff"} {
		require.True(t, utf8.ValidString(s.Text(text)), "%q", text)
	}
	require.Equal(t, "a\ufffdb", s.Text("a\xffb"))
}

// failing is a value of the log whose methods do not work.
type failing struct{ name *string }

// Error implements [error].
func (f *failing) Error() string { return *f.name }

// What is called a secret is none of a log's business whatever its type, and a value that panics ends no process.
func TestHostileValuesOfALog(t *testing.T) {
	t.Parallel()
	s := scrub.New(scrub.Options{})
	var out bytes.Buffer
	log := slog.New(scrub.Logs(s, slog.NewJSONHandler(&out, nil))).With("token", 12345678)
	var none *failing
	log.Info("m", "phone", 491701234567, "Password", "short", "X-Api-Key", "short", "api-key", "short", "db.password", "short", //nolint:sloglint // keys as a careless hand writes them
		"err", none, "joined", errors.Join(&failing{}), slog.Group("credentials", "a", "short"), "email", time.Unix(0, 0))
	require.NotContains(t, out.String(), "12345678")
	require.NotContains(t, out.String(), "491701234567")
	require.NotContains(t, out.String(), "short")
	require.NotContains(t, out.String(), "1970")
	require.Contains(t, out.String(), `"err":"[redacted]"`)
}

// BenchmarkHostileText is what texts of 4 KiB cost that have a rule begin again and again.
func BenchmarkHostileText(b *testing.B) {
	s := scrub.New(scrub.Options{})
	for name, part := range map[string]string{"key": "key: ", "digits": "4 ", "scheme": "://", "PEM": "-----BEGIN ", "at": "a@", "percent": "%3D", "sk": "sk-"} {
		text := strings.Repeat(part, 4096/len(part))
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.Text(text)
			}
		})
	}
}
