package hookcheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// question is a webhook that is not valid.
type question struct {
	header  http.Header
	body    []byte
	verdict Verdict
	now     time.Time
}

// explainMissing looks for headers that may have been meant.
func (c *Checker) explainMissing(q question) []string {
	var hints []string
	if q.header.Get("svix-id") != "" && q.header.Get("svix-signature") != "" {
		hints = append(hints, "its headers are svix-id, svix-timestamp and svix-signature: the sender uses the names from before Standard Webhooks")
	}
	switch q.verdict.BodySignature {
	case BodyValid:
		hints = append(hints, "X-Webhook-Signature is right; it covers the body alone, so anyone who recorded the request can send it again")
	case BodyInvalid:
		hints = append(hints, "X-Webhook-Signature is there, and matches no key")
	}
	return hints
}

// explainInvalid says what stands in the place of a number of seconds.
func (c *Checker) explainInvalid(q question) []string {
	if _, err := time.Parse(time.RFC3339, q.header.Get(webhook.HeaderTimestamp)); err == nil {
		return []string{"webhook-timestamp is a date; it must be the seconds since 1970"}
	}
	return nil
}

// explainTime says how far off the timestamp is, and whether the rest is right.
func (c *Checker) explainTime(q question) []string {
	text := q.header.Get(webhook.HeaderTimestamp)
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil
	}
	if off := q.now.Sub(time.UnixMilli(seconds)); off.Abs() < 24*time.Hour {
		return []string{"webhook-timestamp is in milliseconds; it must be in seconds"}
	}
	var hints []string
	if at, ok := Timestamp(q.header); ok {
		off, direction := q.now.Sub(at).Round(time.Second), "before"
		if off < 0 {
			off, direction = -off, "after"
		}
		hints = append(hints, fmt.Sprintf("it says %s, which is %s %s %s", at.Format(time.RFC3339), off, direction, q.now.UTC().Format(time.RFC3339)))
	}
	if _, err := c.hook.Match(q.header, q.body, time.Unix(seconds, 0)); err != nil {
		return append(append(hints, "and it would not be valid at that time either: "+strings.TrimPrefix(err.Error(), "webhook: ")), c.explainNoMatch(q)...)
	}
	return append(hints, "but for its time it is valid: it is an old recording, or one of the clocks is wrong")
}

// explainNoMatch tries what commonly goes wrong, and says what would have matched.
func (c *Checker) explainNoMatch(q question) []string {
	at := q.now
	if seconds, err := strconv.ParseInt(q.header.Get(webhook.HeaderTimestamp), 10, 64); err == nil {
		at = time.Unix(seconds, 0)
	}
	var hints []string
	have, want := versions(q.header), c.versions()
	if !slices.ContainsFunc(have, func(version string) bool { return slices.Contains(want, version) }) {
		return []string{fmt.Sprintf("the signatures are of version %s, the keys are for %s", quoted(have), quoted(want))}
	}
	for _, variant := range bodies(q.body) {
		if c.hook.VerifyAt(q.header, variant.body, at) == nil {
			hints = append(hints, "it would match a body "+variant.how+": the body is not, byte for byte, what was signed")
		}
	}
	for _, key := range c.keys {
		for _, variant := range secrets(key.Text.Reveal()) {
			hook, err := webhook.New(variant.text)
			if err == nil && hook.VerifyAt(q.header, q.body, at) == nil {
				hints = append(hints, "it would match "+key.Name+" "+variant.how)
			}
		}
	}
	switch {
	case len(hints) > 0:
	case q.verdict.BodySignature == BodyValid:
		hints = append(hints, "X-Webhook-Signature matches, so key and body are right: webhook-id or webhook-timestamp was changed")
	case q.verdict.BodySignature == BodyInvalid:
		hints = append(hints, "X-Webhook-Signature does not match either: the body was changed, or it was signed with another key")
	default:
		hints = append(hints, "the body, webhook-id or webhook-timestamp was changed, or it was signed with another key")
	}
	return hints
}

// changedBody is a body as it may have been before somebody touched it.
type changedBody struct {
	how  string
	body []byte
}

// bodies returns what a body may have been.
func bodies(body []byte) []changedBody {
	changed := []changedBody{
		{"without the line end at its end", bytes.TrimRight(body, "\r\n")},
		{"with a line end at its end", append(bytes.Clone(body), '\n')},
		{"with other line ends (CR LF for LF)", bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))},
		{"with other line ends (LF for CR LF)", bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))},
		{"without the byte order mark", bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))},
		{"that is empty", nil},
	}
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil {
		changed = append(changed, changedBody{"of the same JSON without spaces", compact.Bytes()})
	}
	return changed
}

// changedSecret is a key as the sender may have meant it.
type changedSecret struct{ how, text string }

// secrets returns what a shared secret may have been.
func secrets(text string) []changedSecret {
	trimmed := strings.TrimSpace(text)
	changed := []changedSecret{{"without the spaces around it", trimmed}}
	if encoded, ok := strings.CutPrefix(trimmed, "whsec_"); ok {
		return append(changed, changedSecret{"without whsec_, as text", encoded})
	}
	return append(changed, changedSecret{"if it is base64: write whsec_ in front of it", "whsec_" + trimmed})
}

// versions returns the versions of the signatures in the header, each once, and no more than a few.
func versions(header http.Header) []string {
	const most, longest = 5, 16
	var found []string
	for signature := range strings.FieldsSeq(header.Get(webhook.HeaderSignature)) {
		version, _, _ := strings.Cut(signature, ",")
		version = version[:min(len(version), longest)]
		if len(found) < most && !slices.Contains(found, version) {
			found = append(found, version)
		}
	}
	return found
}

// versions returns the versions that the keys are for.
func (c *Checker) versions() []string {
	var found []string
	for _, key := range c.keys {
		version := webhook.VersionHMAC
		if text := key.Text.Reveal(); strings.HasPrefix(text, "whsk_") || strings.HasPrefix(text, "whpk_") {
			version = webhook.VersionEd25519
		}
		if !slices.Contains(found, version) {
			found = append(found, version)
		}
	}
	return found
}

// quoted lists words that a stranger may have chosen.
func quoted(words []string) string {
	list := make([]string, len(words))
	for i, word := range words {
		list[i] = strconv.QuoteToASCII(word)
	}
	return strings.Join(list, ", ")
}
