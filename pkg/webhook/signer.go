package webhook

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"
)

// The versions of signatures that this package makes and checks.
const (
	// VersionHMAC is HMAC-SHA256 with a secret that both sides know.
	VersionHMAC = "v1"
	// VersionEd25519 is ed25519, of which receivers know the public key only.
	VersionEd25519 = "v1a"
)

// Bounds of what a [Signer] may say.
const (
	maxVersionBytes      = 16
	maxRawSignatureBytes = 1024
)

// Signer makes the signatures of one key. [NewHMAC] and [NewEd25519] hold the key themselves; another implementation may
// leave it where it is, in a KMS or in Vault's transit engine. It must be safe for concurrent use.
type Signer interface {
	// Version names the form of the signatures in the header: [VersionHMAC], [VersionEd25519], or what the receivers
	// agreed to, of at most 16 small letters and digits.
	Version() string
	// Sign returns the signature over content, as raw bytes, at most 1024 of them. It may wait for a network, no longer
	// than ctx lasts. It must neither change content nor keep it.
	Sign(ctx context.Context, content []byte) ([]byte, error)
}

// hmacSigner is the [Signer] of a shared secret.
type hmacSigner struct{ mac *mac }

// NewHMAC returns the signer of version v1 for a secret: "whsec_" and base64, or any other text, which is its own key.
// It does not print the secret. The error is [ErrInvalidSecret].
func NewHMAC(secret string) (Signer, error) {
	key, err := parseSecret(secret)
	if err != nil {
		return nil, err
	}
	return &hmacSigner{newMAC(key)}, nil
}

// Version implements [Signer].
func (*hmacSigner) Version() string { return VersionHMAC }

// Sign implements [Signer]; it never fails.
func (s *hmacSigner) Sign(_ context.Context, content []byte) ([]byte, error) {
	sum := s.mac.body(content)
	return sum[:], nil
}

// Format implements [fmt.Formatter]: whatever the verb, the secret is not printed.
func (*hmacSigner) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, "webhook.Signer(v1, redacted)") // fmt.State has nowhere to report to
}

// ed25519Signer is the [Signer] of a private key. The key is in a function, because fmt looks into fields without asking
// their methods.
type ed25519Signer struct{ sign func(content []byte) []byte }

// newEd25519 returns the signer of key.
func newEd25519(key ed25519.PrivateKey) *ed25519Signer {
	return &ed25519Signer{func(content []byte) []byte { return ed25519.Sign(key, content) }}
}

// NewEd25519 returns the signer of version v1a for a private key: "whsk_" and the base64 of the 32 bytes of the seed, or
// of the 64 of seed and public key. It does not print the key. The error is [ErrInvalidSecret].
func NewEd25519(key string) (Signer, error) {
	private, err := parsePrivate(key)
	if err != nil {
		return nil, err
	}
	return newEd25519(private), nil
}

// Version implements [Signer].
func (*ed25519Signer) Version() string { return VersionEd25519 }

// Sign implements [Signer]; it never fails.
func (s *ed25519Signer) Sign(_ context.Context, content []byte) ([]byte, error) {
	return s.sign(content), nil
}

// Format implements [fmt.Formatter]: whatever the verb, the key is not printed.
func (*ed25519Signer) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, "webhook.Signer(v1a, redacted)") // fmt.State has nowhere to report to
}

// Signatures returns the value of [HeaderSignature] for one attempt, at the given time, to send body as the webhook id:
// one signature of each signer, in their order. The value of [HeaderTimestamp] must be at.Unix(). The error is
// [ErrInvalidID], [ErrCannotSign] without any signer, [ErrInvalidSignature], or that of a signer; one signer that fails
// fails all, because a receiver may know that key only.
func Signatures(ctx context.Context, signers []Signer, id string, at time.Time, body []byte) (string, error) {
	if err := checkID(id); err != nil {
		return "", err
	}
	if len(signers) == 0 {
		return "", ErrCannotSign
	}
	var room [4 * (len("v1, ") + macTextBytes)]byte
	list, content := room[:0], []byte(nil)
	for i, signer := range signers {
		if i > 0 {
			list = append(list, ' ')
		}
		if s, ok := signer.(*hmacSigner); ok { // spares the copy of the body that signing in general needs
			text := macText(s.mac.content(id, at.Unix(), body))
			list = append(append(list, VersionHMAC+","...), text[:]...)
			continue
		}
		if content == nil {
			content = signedContent(id, at.Unix(), body)
		}
		version := signer.Version()
		signature, err := signer.Sign(ctx, content)
		if err != nil {
			return "", fmt.Errorf("webhook: signature %d (%s): %w", i+1, version, err)
		}
		if err := checkSignature(version, signature); err != nil {
			return "", fmt.Errorf("%w: signature %d: %w", ErrInvalidSignature, i+1, err)
		}
		list = append(append(list, version...), ',')
		list = base64.StdEncoding.AppendEncode(list, signature)
	}
	return string(list), nil
}

// checkSignature refuses what would break the list in the header, or the header.
func checkSignature(version string, signature []byte) error {
	if version == "" || len(version) > maxVersionBytes {
		return fmt.Errorf("the version has %d bytes, want 1 to %d", len(version), maxVersionBytes)
	}
	for i := range len(version) {
		if c := version[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return fmt.Errorf("the version has %q, want small letters and digits", c)
		}
	}
	if len(signature) == 0 || len(signature) > maxRawSignatureBytes {
		return fmt.Errorf("it has %d bytes, want 1 to %d", len(signature), maxRawSignatureBytes)
	}
	return nil
}

// BodySignature returns the value of [HeaderBodySignature] for body: "sha256=" and the hex of HMAC-SHA256 over it, with the
// text of secret as the key, prefix included. It covers neither id nor time: see the package comment.
func BodySignature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return bodyText([sha256.Size]byte(mac.Sum(nil)))
}

// bodyText returns a MAC as it stands in [HeaderBodySignature].
func bodyText(sum [sha256.Size]byte) string {
	text := make([]byte, 0, len(bodyScheme)+hex.EncodedLen(len(sum)))
	return string(hex.AppendEncode(append(text, bodyScheme...), sum[:]))
}
