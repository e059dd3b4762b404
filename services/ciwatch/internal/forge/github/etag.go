package github

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
)

// accept is the Accept header of every request. GitHub's ETags depend on it.
const accept = "application/vnd.github+json"

// fingerprint tells apart the Authorization headers that were sent, without keeping them.
type fingerprint [sha256.Size]byte

// fingerprintOf returns that of an Authorization header.
func fingerprintOf(authorization string) fingerprint { return sha256.Sum256([]byte(authorization)) }

// expectedETag returns the ETag that GitHub gives to a body which is asked for with an Authorization header: SHA-256 over the
// Accept and Authorization headers, where there are any, each with a colon behind it, and the body. GitHub does not document it;
// github.com/bored-engineer/github-conditional-http-transport found it out. It is therefore used only where the ETag that came
// with the body was made so.
func expectedETag(authorization string, body io.Reader) (string, error) {
	h := sha256.New()
	io.WriteString(h, accept+":") //nolint:errcheck // a hash takes everything
	if authorization != "" {
		io.WriteString(h, authorization+":") //nolint:errcheck // a hash takes everything
	}
	if _, err := io.Copy(h, body); err != nil {
		return "", err
	}
	return `"` + hex.EncodeToString(h.Sum(nil)) + `"`, nil
}

// sameETag compares two ETags as If-None-Match does: weak ones, of answers that were compressed on their way, are as good.
func sameETag(a, b string) bool { return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/") }
