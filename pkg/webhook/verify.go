package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far a timestamp may be from the receiver's clock, in either direction.
const Tolerance = 5 * time.Minute

// Bounds of the signature header. To check a v1a signature costs some 50 µs, so a stranger must not be able to ask for
// many.
const (
	maxSignatureBytes    = 4096
	maxEd25519Signatures = 8
)

// Match says what verified a webhook.
type Match struct {
	// Key is the key, by its place among those given to [New], from 0.
	Key int
	// Version is that of the signature: [VersionHMAC] or [VersionEd25519].
	Version string
}

// Verify checks the Standard Webhooks headers of a request against its body, byte for byte as it was received, at the
// present time. It accepts any v1 or v1a signature made with any of the keys, in constant time, and skips signatures of
// versions that it does not know. The error is one of [ErrMissingHeader], [ErrInvalidHeader], [ErrInvalidID],
// [ErrTooOld], [ErrTooNew] and [ErrNoMatch].
func (w *Webhook) Verify(header http.Header, body []byte) error {
	return w.VerifyAt(header, body, time.Now())
}

// VerifyAt is [Webhook.Verify] for a clock that shows now.
func (w *Webhook) VerifyAt(header http.Header, body []byte, now time.Time) error {
	_, err := w.Match(header, body, now)
	return err
}

// Match is [Webhook.VerifyAt]; it tells which key and version it was.
func (w *Webhook) Match(header http.Header, body []byte, now time.Time) (Match, error) {
	e, err := readEnvelope(header, now)
	if err != nil {
		return Match{}, err
	}
	return w.match(e, body)
}

// envelope is what the headers of a webhook say.
type envelope struct {
	id         string
	seconds    int64
	signatures string
}

// readEnvelope checks everything about the headers that needs neither key nor body.
func readEnvelope(header http.Header, now time.Time) (e envelope, err error) {
	var timestamp string
	for _, h := range [...]struct {
		name, key string
		value     *string
	}{{HeaderID, keyID, &e.id}, {HeaderTimestamp, keyTimestamp, &timestamp}, {HeaderSignature, keySignature, &e.signatures}} {
		values := header[h.key]
		if len(values) == 0 || values[0] == "" {
			return e, fmt.Errorf("%w: %s", ErrMissingHeader, h.name)
		}
		if len(values) > 1 { // what was verified and what is read later could be two things
			return e, fmt.Errorf("%w: %s is there %d times", ErrInvalidHeader, h.name, len(values))
		}
		*h.value = values[0]
	}
	if err := checkID(e.id); err != nil {
		return e, err
	}
	if len(e.signatures) > maxSignatureBytes {
		return e, fmt.Errorf("%w: %s has %d bytes, at most %d are taken", ErrInvalidHeader, HeaderSignature, len(e.signatures), maxSignatureBytes)
	}
	if e.seconds, err = strconv.ParseInt(timestamp, 10, 64); err != nil || strconv.FormatInt(e.seconds, 10) != timestamp {
		return e, fmt.Errorf("%w: %s is not a whole number of seconds", ErrInvalidHeader, HeaderTimestamp)
	}
	return e, e.checkTime(now)
}

// checkTime refuses a timestamp that is too far from now.
func (e envelope) checkTime(now time.Time) error {
	// Whole seconds are compared, not durations: a duration cannot span what 64 bits of seconds can.
	tolerance := int64(Tolerance / time.Second)
	switch {
	case e.seconds < now.Unix()-tolerance:
		return fmt.Errorf("%w: it was made more than %s ago", ErrTooOld, Tolerance)
	case e.seconds > now.Unix()+tolerance:
		return fmt.Errorf("%w: it is more than %s ahead", ErrTooNew, Tolerance)
	default:
		return nil
	}
}

// match looks for a signature that was made with one of the keys.
func (w *Webhook) match(e envelope, body []byte) (Match, error) {
	var symmetric, asymmetric int
	for signature := range strings.SplitSeq(e.signatures, " ") {
		switch version, _, _ := strings.Cut(signature, ","); version {
		case VersionHMAC:
			symmetric++
		case VersionEd25519:
			asymmetric++
		}
	}
	if asymmetric > maxEd25519Signatures {
		return Match{}, fmt.Errorf("%w: %s has %d signatures of %s, at most %d are taken",
			ErrInvalidHeader, HeaderSignature, asymmetric, VersionEd25519, maxEd25519Signatures)
	}
	var content []byte
	checkable := false
	for i, k := range w.keys {
		switch {
		case k.content != nil && symmetric > 0:
			checkable = true
			if matchHMAC(e.signatures, macText(k.content.content(e.id, e.seconds, body))) {
				return Match{i, VersionHMAC}, nil
			}
		case k.public != nil && asymmetric > 0:
			checkable = true
			if content == nil {
				content = signedContent(e.id, e.seconds, body)
			}
			if matchEd25519(e.signatures, k.public, content) {
				return Match{i, VersionEd25519}, nil
			}
		}
	}
	if !checkable {
		return Match{}, fmt.Errorf("%w: none is of a version that the keys are for", ErrNoMatch)
	}
	return Match{}, ErrNoMatch
}

// matchHMAC reports whether a v1 signature of the list is want, without telling by its duration where they differ.
func matchHMAC(list string, want [macTextBytes]byte) bool {
	found := false
	for signature := range strings.SplitSeq(list, " ") {
		version, text, _ := strings.Cut(signature, ",")
		if version != VersionHMAC || len(text) != len(want) {
			continue
		}
		var got [macTextBytes]byte
		copy(got[:], text)
		found = hmac.Equal(got[:], want[:]) || found
	}
	return found
}

// matchEd25519 reports whether a v1a signature of the list was made over content by the owner of public.
func matchEd25519(list string, public ed25519.PublicKey, content []byte) bool {
	for signature := range strings.SplitSeq(list, " ") {
		version, text, _ := strings.Cut(signature, ",")
		if version != VersionEd25519 || len(text) != base64.StdEncoding.EncodedLen(ed25519.SignatureSize) {
			continue
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		if err == nil && len(raw) == ed25519.SignatureSize && ed25519.Verify(public, content, raw) {
			return true
		}
	}
	return false
}

// VerifyBody checks [HeaderBodySignature] of a request against its body, with the shared secrets among the keys. That
// signature covers no id and no time: see the package comment. The error is one of [ErrMissingHeader], [ErrInvalidHeader]
// and [ErrNoMatch].
func (w *Webhook) VerifyBody(header http.Header, body []byte) error {
	value := header.Get(HeaderBodySignature)
	if value == "" {
		return fmt.Errorf("%w: %s", ErrMissingHeader, HeaderBodySignature)
	}
	digits, ok := strings.CutPrefix(value, bodyScheme)
	if !ok {
		return fmt.Errorf("%w: %s does not start with %s", ErrInvalidHeader, HeaderBodySignature, bodyScheme)
	}
	got, err := hex.DecodeString(digits)
	if err != nil {
		return fmt.Errorf("%w: %s is not hexadecimal", ErrInvalidHeader, HeaderBodySignature)
	}
	found := false
	for _, k := range w.keys {
		if k.body != nil {
			want := k.body.body(body)
			found = hmac.Equal(got, want[:]) || found
		}
	}
	if !found {
		return ErrNoMatch
	}
	return nil
}

// Read reads the body of r, at most maxBytes of it, and verifies it as [Webhook.Verify] does. Besides that method's
// errors it returns [ErrTooLarge] and [ErrIncomplete]. [Webhook.Handler] does this and more.
func (w *Webhook) Read(r *http.Request, maxBytes int64) ([]byte, error) {
	_, body, err := w.read(nil, r, maxBytes)
	return body, err
}

// read is [Webhook.Read]; it returns the id too. A body that is too large makes answer, where there is one, end the
// connection.
func (w *Webhook) read(answer http.ResponseWriter, r *http.Request, maxBytes int64) (id string, body []byte, err error) {
	e, err := readEnvelope(r.Header, time.Now()) // before the body: a stranger's is not worth the memory
	if err != nil {
		return "", nil, err
	}
	if body, err = readBody(answer, r, maxBytes); err != nil {
		return "", nil, err
	}
	// And after it: a recorded request, begun in time and then sent slowly, must not outlast the memory for replays.
	if err := e.checkTime(time.Now()); err != nil {
		return "", nil, err
	}
	if _, err := w.match(e, body); err != nil {
		return "", nil, err
	}
	return e.id, body, nil
}

// readBody reads the body of r, at most maxBytes of it.
func readBody(answer http.ResponseWriter, r *http.Request, maxBytes int64) ([]byte, error) {
	if r.Body == nil { // as in a request that no server made
		return nil, nil
	}
	var body []byte
	err := error(&http.MaxBytesError{Limit: maxBytes})
	if r.ContentLength <= maxBytes {
		body, err = io.ReadAll(http.MaxBytesReader(answer, r.Body, maxBytes))
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, fmt.Errorf("%w: at most %d bytes are taken", ErrTooLarge, tooLarge.Limit)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	return body, nil
}
