// Package hookcheck judges webhooks for a person: it says which key verified one, or what exactly is wrong with it.
package hookcheck

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// Key is a key to verify with.
type Key struct {
	// Name tells a person which key it is.
	Name string
	// Text is the key, as [webhook.New] takes it.
	Text secret.Value
}

// What a [Verdict] says of the header X-Webhook-Signature.
const (
	BodyAbsent  = "absent"
	BodyValid   = "valid"
	BodyInvalid = "invalid"
)

// Problems of a webhook.
const (
	ProblemMissingHeader = "missing_header"
	ProblemInvalidHeader = "invalid_header"
	ProblemInvalidID     = "invalid_id"
	ProblemTooOld        = "too_old"
	ProblemTooNew        = "too_new"
	ProblemNoMatch       = "no_match"
)

// Verdict is what there is to say about a webhook.
type Verdict struct {
	Valid bool `json:"valid"`
	// ID is the webhook-id as it came; Timestamp is the webhook-timestamp, zero when it is none.
	ID        string    `json:"id"`
	Timestamp time.Time `json:"timestamp,omitzero"`
	// Version and Key are those of the signature that verified it: v1 or v1a, and the name of the key.
	Version string `json:"version,omitempty"`
	Key     string `json:"key,omitempty"`
	// BodySignature tells of the header X-Webhook-Signature: absent, valid or invalid. It does not make a webhook valid.
	BodySignature string `json:"body_signature"`
	// Problem is a word for what is wrong, Says the same in a sentence, and Hints are what was found out about it.
	Problem string   `json:"problem,omitempty"`
	Says    string   `json:"says,omitempty"`
	Hints   []string `json:"hints,omitempty"`

	// Err is what package webhook said; nil for a valid webhook.
	Err error `json:"-"`
}

// Checker judges webhooks with a set of keys. It is safe for concurrent use.
type Checker struct {
	keys []Key
	hook *webhook.Webhook
}

// New returns a Checker for keys, of which there must be at least one. The error names the key that is none.
func New(keys []Key) (*Checker, error) {
	texts := make([]string, len(keys))
	for i, key := range keys {
		texts[i] = key.Text.Reveal()
		if _, err := webhook.New(texts[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", key.Name, err)
		}
	}
	hook, err := webhook.New(texts...)
	if err != nil {
		return nil, err
	}
	return &Checker{keys: keys, hook: hook}, nil
}

// Check judges one webhook for a clock that shows now.
func (c *Checker) Check(header http.Header, body []byte, now time.Time) Verdict {
	v := Verdict{ID: header.Get(webhook.HeaderID), BodySignature: c.bodySignature(header, body)}
	v.Timestamp, _ = Timestamp(header) // zero where there is none: the match that follows says what is wrong with it
	match, err := c.hook.Match(header, body, now)
	if err == nil {
		v.Valid, v.Version, v.Key = true, match.Version, c.keys[match.Key].Name
		return v
	}
	v.Err, v.Says = err, strings.TrimPrefix(err.Error(), "webhook: ")
	for _, known := range []struct {
		err     error
		problem string
		explain func(q question) []string
	}{
		{webhook.ErrMissingHeader, ProblemMissingHeader, c.explainMissing},
		{webhook.ErrInvalidHeader, ProblemInvalidHeader, c.explainInvalid},
		{webhook.ErrInvalidID, ProblemInvalidID, c.explainInvalid},
		{webhook.ErrTooOld, ProblemTooOld, c.explainTime},
		{webhook.ErrTooNew, ProblemTooNew, c.explainTime},
		{webhook.ErrNoMatch, ProblemNoMatch, c.explainNoMatch},
	} {
		if errors.Is(err, known.err) {
			v.Problem, v.Hints = known.problem, known.explain(question{header, body, v, now})
		}
	}
	return v
}

// bodySignature judges the header X-Webhook-Signature.
func (c *Checker) bodySignature(header http.Header, body []byte) string {
	err := c.hook.VerifyBody(header, body)
	switch {
	case err == nil:
		return BodyValid
	case errors.Is(err, webhook.ErrMissingHeader):
		return BodyAbsent
	default:
		return BodyInvalid
	}
}

// endOfTime is the last second, in Unix time, that can be printed.
const endOfTime = 253402300799

// Timestamp returns the time that the header webhook-timestamp names. It is false when it is not there, or no number of
// seconds from 1970 to the year 9999.
func Timestamp(header http.Header) (time.Time, bool) {
	seconds, err := strconv.ParseInt(header.Get(webhook.HeaderTimestamp), 10, 64)
	if err != nil || seconds < 0 || seconds > endOfTime {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0).UTC(), true
}
