package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
)

// secretPrefix marks a symmetric secret of Standard Webhooks.
const secretPrefix = "whsec_"

// secretBytes is the strength of the secrets we make; Standard Webhooks asks for 24 to 64.
const secretBytes = 32

// GenerateSecret returns a new random secret in the form of Standard Webhooks: "whsec_" and the base64 of 32 bytes.
func GenerateSecret() string {
	key := make([]byte, secretBytes)
	_, _ = rand.Read(key) // never fails: it ends the process instead (crypto/rand)
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// StandardSecret returns the form of secret that every Standard Webhooks library understands: itself when it starts
// with "whsec_", otherwise "whsec_" and the base64 of its bytes. The error is [ErrInvalidSecret].
func StandardSecret(secret string) (string, error) {
	key, err := parseSecret(secret)
	if err != nil {
		return "", err
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(key), nil
}

// parseSecret returns the v1 key of a secret. Its errors never quote the secret.
func parseSecret(secret string) ([]byte, error) {
	encoded, standard := strings.CutPrefix(secret, secretPrefix)
	key := []byte(secret)
	if standard {
		var err error
		if key, err = base64.StdEncoding.Strict().DecodeString(encoded); err != nil {
			return nil, fmt.Errorf("%w: what follows whsec_ is not standard base64", ErrInvalidSecret)
		}
	}
	if len(key) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrInvalidSecret)
	}
	return key, nil
}
