package webhook

import (
	"crypto/hmac"
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

// maxSignatureBytes bounds the signature header: some eighty signatures, where a rotation needs two.
const maxSignatureBytes = 4096

// Verify checks the Standard Webhooks headers of a request against its body, byte for byte as it was received, at the
// present time. It accepts any v1 signature made with any of the secrets, in constant time, and skips signatures of
// versions that it does not know. The error is one of [ErrMissingHeader], [ErrInvalidHeader], [ErrInvalidID],
// [ErrTooOld], [ErrTooNew] and [ErrNoMatch].
func (w *Webhook) Verify(header http.Header, body []byte) error {
	return w.VerifyAt(header, body, time.Now())
}

// VerifyAt is [Webhook.Verify] for a clock that shows now.
func (w *Webhook) VerifyAt(header http.Header, body []byte, now time.Time) error {
	id, timestamp, signatures := header.Get(HeaderID), header.Get(HeaderTimestamp), header.Get(HeaderSignature)
	for _, h := range [...][2]string{{HeaderID, id}, {HeaderTimestamp, timestamp}, {HeaderSignature, signatures}} {
		if h[1] == "" {
			return fmt.Errorf("%w: %s", ErrMissingHeader, h[0])
		}
	}
	if err := checkID(id); err != nil {
		return err
	}
	if err := checkTimestamp(timestamp, now); err != nil {
		return err
	}
	if len(signatures) > maxSignatureBytes {
		return fmt.Errorf("%w: %s has %d bytes, at most %d are taken", ErrInvalidHeader, HeaderSignature, len(signatures), maxSignatureBytes)
	}
	expected := make([][]byte, len(w.keys))
	for i, key := range w.keys {
		expected[i] = []byte(sign(key, id, timestamp, body))
	}
	for signature := range strings.SplitSeq(signatures, " ") {
		version, got, _ := strings.Cut(signature, ",")
		if version == versionHMAC && matches([]byte(got), expected) {
			return nil
		}
	}
	return ErrNoMatch
}

// VerifyBody checks [HeaderBodySignature] of a request against its body. That signature covers no id and no time: see
// the package comment. The error is one of [ErrMissingHeader], [ErrInvalidHeader] and [ErrNoMatch].
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
	expected := make([][]byte, len(w.textKeys))
	for i, key := range w.textKeys {
		expected[i] = bodyMAC(key, body)
	}
	if !matches(got, expected) {
		return ErrNoMatch
	}
	return nil
}

// Read reads the body of r, at most maxBytes of it, and verifies it as [Webhook.Verify] does. Besides that method's
// errors it returns [ErrTooLarge] and what reading the body fails with.
func (w *Webhook) Read(r *http.Request, maxBytes int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBytes))
	if err != nil {
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, fmt.Errorf("%w: at most %d bytes are taken", ErrTooLarge, tooLarge.Limit)
		}
		return nil, fmt.Errorf("webhook: reading the body: %w", err)
	}
	if err := w.Verify(r.Header, body); err != nil {
		return nil, err
	}
	return body, nil
}

// checkTimestamp refuses a timestamp that is no plain decimal number, or too far from now.
func checkTimestamp(timestamp string, now time.Time) error {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != timestamp {
		return fmt.Errorf("%w: %s is not a whole number of seconds", ErrInvalidHeader, HeaderTimestamp)
	}
	// Whole seconds are compared, not durations: a duration cannot span what 64 bits of seconds can.
	tolerance := int64(Tolerance / time.Second)
	switch {
	case seconds < now.Unix()-tolerance:
		return fmt.Errorf("%w: it was made more than %s ago", ErrTooOld, Tolerance)
	case seconds > now.Unix()+tolerance:
		return fmt.Errorf("%w: it is more than %s ahead", ErrTooNew, Tolerance)
	default:
		return nil
	}
}

// matches reports whether got equals one of expected, without telling by its duration where they differ.
func matches(got []byte, expected [][]byte) bool {
	found := false
	for _, e := range expected {
		if hmac.Equal(got, e) {
			found = true
		}
	}
	return found
}
