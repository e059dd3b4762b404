package canary_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// newCanary returns a text that is nowhere yet.
func newCanary() string { return "sk-" + rand.Text() + "-" + rand.Text() }

// forms are the ways in which a text may be written, by their names.
func forms(text string) map[string]string {
	all := map[string]string{
		"plain":        text,
		"reversed":     reversed(text),
		"hex":          hex.EncodeToString([]byte(text)),
		"HEX":          strings.ToUpper(hex.EncodeToString([]byte(text))),
		"bytes":        strings.Trim(fmt.Sprintf("%d", []byte(text)), "[]"),
		"listed bytes": strings.ReplaceAll(strings.Trim(fmt.Sprintf("%d", []byte(text)), "[]"), " ", ","),
		"quoted":       strings.Trim(fmt.Sprintf("%q", strings.Split(text, "")), "[]"),
		"escaped":      url.QueryEscape(text),
	}
	for name, encoding := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64 for URLs": base64.URLEncoding} {
		for before := range 3 { // what stands before it in the same text shifts it
			encoded := encoding.WithPadding(base64.NoPadding).EncodeToString([]byte(strings.Repeat("x", before) + text))
			all[fmt.Sprintf("%s, %d after a start", name, before)] = encoded[(before*8+5)/6 : (before+len(text))*8/6]
		}
	}
	return all
}

func reversed(text string) string {
	b := []byte(text)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// requireNowhere checks that a canary is in none of its forms in what was seen, by where it was.
func requireNowhere(t *testing.T, canary string, seen map[string][]byte) {
	t.Helper()
	for form, written := range forms(canary) {
		for where, text := range seen {
			if at := bytes.Index(text, []byte(written)); at >= 0 {
				require.Fail(t, "the secret is in "+where, "%s, at %d of %d bytes: …%s", form, at, len(text), text[max(at-200, 0):at])
			}
		}
	}
}

// TestForms: the search finds what it looks for.
func TestForms(t *testing.T) {
	t.Parallel()
	canary := newCanary()
	for name, text := range map[string]string{
		"an error":  `request failed: "` + canary + `"`,
		"JSON":      fmt.Sprintf(`{"value":"%s"}`, base64.StdEncoding.EncodeToString([]byte("k="+canary+"\n"))),
		"a JWT":     base64.RawURLEncoding.EncodeToString([]byte("abc" + canary + "z")),
		"a dump":    hex.Dump([]byte(canary)) + hex.EncodeToString([]byte("x"+canary+"y")),
		"%v":        fmt.Sprintf("%v", struct{ b []byte }{[]byte(canary)}),
		"%#v":       fmt.Sprintf("%X", canary),
		"one array": fmt.Sprintf("%d", []byte("x"+canary)),
	} {
		found := false
		for _, form := range forms(canary) {
			found = found || strings.Contains(text, form)
		}
		require.True(t, found, name)
	}
}
