package webhook

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed webhook. HTTP compares their names without regard to case.
const (
	// HeaderID identifies the webhook: the same on every attempt, unique per event.
	HeaderID = "webhook-id"
	// HeaderTimestamp is the time of this attempt, in whole seconds since 1970.
	HeaderTimestamp = "webhook-timestamp"
	// HeaderSignature is a list of signatures, "VERSION,BASE64" separated by spaces.
	HeaderSignature = "webhook-signature"
	// HeaderBodySignature is "sha256=" and the hex of HMAC-SHA256 over the body alone.
	HeaderBodySignature = "X-Webhook-Signature"
)

// The headers as [http.Header] spells them, which spares the work of spelling them so on each use.
const (
	keyID        = "Webhook-Id"
	keyTimestamp = "Webhook-Timestamp"
	keySignature = "Webhook-Signature"
)

// maxIDBytes bounds an id; ours have at most 64 bytes.
const maxIDBytes = 256

// bodyScheme starts the value of [HeaderBodySignature].
const bodyScheme = "sha256="

// Webhook signs and verifies with one key, or with several while one replaces another. It is safe for concurrent use and
// does not print its keys.
type Webhook struct {
	keys    []key
	signers []Signer // of the keys that can sign, in their order
}

// key is one key of a [Webhook]: of either kind, only its fields are set.
type key struct {
	content, body *mac              // v1: of what Standard Webhooks signs, and of the body alone
	public        ed25519.PublicKey // v1a
}

// New returns a Webhook for the given keys, of which there must be at least one: shared secrets ("whsec_…" or any other
// text), private keys ("whsk_…") and public keys ("whpk_…"). It signs with all but public ones and accepts a signature of
// any. The error is [ErrInvalidSecret].
func New(keys ...string) (*Webhook, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: none given", ErrInvalidSecret)
	}
	w := &Webhook{}
	for i, text := range keys {
		switch err := w.add(text); {
		case err != nil && len(keys) > 1:
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		case err != nil:
			return nil, err
		}
	}
	return w, nil
}

// add adds one key.
func (w *Webhook) add(text string) error {
	switch {
	case strings.HasPrefix(text, publicPrefix):
		public, err := parsePublic(text)
		if err != nil {
			return err
		}
		w.keys = append(w.keys, key{public: public})
	case strings.HasPrefix(text, privatePrefix):
		private, err := parsePrivate(text)
		if err != nil {
			return err
		}
		w.keys = append(w.keys, key{public: ed25519.PublicKey(private[ed25519.SeedSize:])})
		w.signers = append(w.signers, newEd25519(private))
	default:
		secret, err := parseSecret(text)
		if err != nil {
			return err
		}
		content := newMAC(secret)
		w.keys = append(w.keys, key{content: content, body: newMAC([]byte(text))})
		w.signers = append(w.signers, &hmacSigner{content})
	}
	return nil
}

// Format implements [fmt.Formatter]: whatever the verb, no key is printed.
func (w *Webhook) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "webhook.Webhook(%d keys, redacted)", len(w.keys)) // fmt.State has nowhere to report to
}

// Sign returns the headers for one attempt, at the given time, to send body as the webhook id. Every key that is not public
// adds a signature to [HeaderSignature]; [HeaderBodySignature] has room for one, that of the first shared secret, and is
// left out where there is none. The error is [ErrInvalidID], or [ErrCannotSign] if all keys are public.
func (w *Webhook) Sign(id string, at time.Time, body []byte) (http.Header, error) {
	signatures, err := Signatures(context.Background(), w.signers, id, at, body)
	if err != nil {
		return nil, err
	}
	values := []string{id, strconv.FormatInt(at.Unix(), 10), signatures, w.SignBody(body)}
	h := make(http.Header, len(values))
	h[keyID], h[keyTimestamp], h[keySignature] = values[0:1:1], values[1:2:2], values[2:3:3]
	if values[3] != "" {
		h[HeaderBodySignature] = values[3:]
	}
	return h, nil
}

// SignBody returns the value of [HeaderBodySignature] for body, made with the first shared secret; "" where there is none.
func (w *Webhook) SignBody(body []byte) string {
	for _, k := range w.keys {
		if k.body != nil {
			return bodyText(k.body.body(body))
		}
	}
	return ""
}

// checkID refuses what cannot stand in a header or, with a full stop, would make the signed text ambiguous: the id
// "a.1" at time 2 and the id "a" at time 1 with a body that starts with "2." sign the same bytes.
func checkID(id string) error {
	if id == "" || len(id) > maxIDBytes {
		return fmt.Errorf("%w: %d bytes, want 1 to %d", ErrInvalidID, len(id), maxIDBytes)
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || c == '.' {
			return fmt.Errorf("%w: byte %d is %q", ErrInvalidID, i, c)
		}
	}
	return nil
}
