package webhook

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
)

// The prefixes of keys in Standard Webhooks.
const (
	secretPrefix  = "whsec_"
	privatePrefix = "whsk_"
	publicPrefix  = "whpk_"
)

// secretBytes is the strength of the secrets we make; Standard Webhooks asks for 24 to 64.
const secretBytes = 32

// GenerateSecret returns a new random secret in the form of Standard Webhooks: "whsec_" and the base64 of 32 bytes.
func GenerateSecret() string {
	key := make([]byte, secretBytes)
	_, _ = rand.Read(key) // never fails: it ends the process instead (crypto/rand)
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// GenerateKeyPair returns a new random pair of ed25519 keys in the form of Standard Webhooks: "whsk_" and the base64 of
// the seed and the public key for the sender, "whpk_" and the base64 of the public key for receivers.
func GenerateKeyPair() (private, public string) {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails: it ends the process instead (crypto/rand)
	key := ed25519.NewKeyFromSeed(seed)
	return privatePrefix + base64.StdEncoding.EncodeToString(key), publicText(key)
}

// PublicKey returns the public key ("whpk_…") of a private one ("whsk_…"), which is all that a receiver needs. The error
// is [ErrInvalidSecret].
func PublicKey(private string) (string, error) {
	key, err := parsePrivate(private)
	if err != nil {
		return "", err
	}
	return publicText(key), nil
}

// StandardSecret returns the form of a shared secret that every Standard Webhooks library understands: itself when it
// starts with "whsec_", otherwise "whsec_" and the base64 of its bytes. The error is [ErrInvalidSecret].
func StandardSecret(secret string) (string, error) {
	key, err := parseSecret(secret)
	if err != nil {
		return "", err
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(key), nil
}

// publicText returns the public half of key as it is shown.
func publicText(key ed25519.PrivateKey) string {
	return publicPrefix + base64.StdEncoding.EncodeToString(key[ed25519.SeedSize:])
}

// parseSecret returns the v1 key of a shared secret. Its errors never quote the secret, and neither do those below.
func parseSecret(secret string) ([]byte, error) {
	if strings.HasPrefix(secret, privatePrefix) || strings.HasPrefix(secret, publicPrefix) {
		return nil, fmt.Errorf("%w: an ed25519 key (%s, %s) is no shared secret", ErrInvalidSecret, privatePrefix, publicPrefix)
	}
	if secret == "" || secret == secretPrefix {
		return nil, fmt.Errorf("%w: it is empty", ErrInvalidSecret)
	}
	if !strings.HasPrefix(secret, secretPrefix) {
		return []byte(secret), nil
	}
	return decodeKey(secret, secretPrefix)
}

// parsePrivate returns an ed25519 private key. The public key in it must be that of the seed: whoever signs with another
// one gives the private key away.
func parsePrivate(private string) (ed25519.PrivateKey, error) {
	raw, err := decodeKey(private, privatePrefix)
	if err != nil {
		return nil, err
	}
	if len(raw) != ed25519.SeedSize && len(raw) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: a private key has %d bytes, or %d with the public one; this has %d",
			ErrInvalidSecret, ed25519.SeedSize, ed25519.PrivateKeySize, len(raw))
	}
	key := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	if len(raw) == ed25519.PrivateKeySize && subtle.ConstantTimeCompare(key, raw) == 0 {
		return nil, fmt.Errorf("%w: the public key in it belongs to another private one", ErrInvalidSecret)
	}
	return key, nil
}

// parsePublic returns an ed25519 public key that only its owner can sign for.
func parsePublic(public string) (ed25519.PublicKey, error) {
	raw, err := decodeKey(public, publicPrefix)
	if err != nil {
		return nil, err
	}
	if len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: a public key has %d bytes; this has %d", ErrInvalidSecret, ed25519.PublicKeySize, len(raw))
	}
	if err := checkPoint(raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// decodeKey returns what follows the prefix of a key.
func decodeKey(key, prefix string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(key, prefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not start with %s", ErrInvalidSecret, prefix)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") { // which the decoder skips
		return nil, fmt.Errorf("%w: what follows %s is not standard base64", ErrInvalidSecret, prefix)
	}
	return raw, nil
}
