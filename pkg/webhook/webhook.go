package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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

// maxIDBytes bounds an id; ours have at most 64 bytes.
const maxIDBytes = 256

// versionHMAC is the version of Standard Webhooks signatures made with a shared secret.
const versionHMAC = "v1"

// bodyScheme starts the value of [HeaderBodySignature].
const bodyScheme = "sha256="

// Webhook signs and verifies with one secret, or with several while one replaces another. It is safe for concurrent
// use and does not print its secrets.
type Webhook struct {
	keys     [][]byte // of v1, in the order of the secrets
	textKeys [][]byte // of X-Webhook-Signature: the secrets as they are written
}

// New returns a Webhook for the given secrets, of which there must be at least one. It signs with all of them and
// accepts a signature of any. The error is [ErrInvalidSecret].
func New(secrets ...string) (*Webhook, error) {
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%w: none given", ErrInvalidSecret)
	}
	w := &Webhook{}
	for _, secret := range secrets {
		key, err := parseSecret(secret)
		if err != nil {
			return nil, err
		}
		w.keys = append(w.keys, key)
		w.textKeys = append(w.textKeys, []byte(secret))
	}
	return w, nil
}

// Format implements [fmt.Formatter]: whatever the verb, no secret is printed.
func (w *Webhook) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "webhook.Webhook(%d secrets, redacted)", len(w.keys)) // fmt.State has nowhere to report to
}

// Sign returns the four headers for one attempt, at the given time, to send body as the webhook id. Every secret adds a
// signature to [HeaderSignature]; [HeaderBodySignature] has room for one, that of the first secret. The error is
// [ErrInvalidID].
func (w *Webhook) Sign(id string, at time.Time, body []byte) (http.Header, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(w.keys))
	for i, key := range w.keys {
		signatures[i] = versionHMAC + "," + sign(key, id, timestamp, body)
	}
	h := make(http.Header, 4)
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, timestamp)
	h.Set(HeaderSignature, strings.Join(signatures, " "))
	h.Set(HeaderBodySignature, w.SignBody(body))
	return h, nil
}

// SignBody returns the value of [HeaderBodySignature] for body, made with the first secret.
func (w *Webhook) SignBody(body []byte) string {
	return bodyScheme + hex.EncodeToString(bodyMAC(w.textKeys[0], body))
}

// sign returns the base64 of the MAC over what Standard Webhooks signs.
func sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// bodyMAC returns the MAC over the body alone.
func bodyMAC(key, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	return mac.Sum(nil)
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
