package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Verify reports whether signature, the X-Hub-Signature-256 of a webhook, is that of body with one of the secrets: HMAC-SHA256.
// There are several while one takes the place of another. All of them are tried, and compared in constant time. A secret whose
// content is not known at this time, or is empty, signs nothing.
func Verify(secrets []secret.Value, signature string, body []byte) bool {
	text, ok := strings.CutPrefix(signature, "sha256=")
	if !ok || len(text) != hex.EncodedLen(sha256.Size) {
		return false
	}
	given, err := hex.DecodeString(text)
	if err != nil {
		return false
	}
	verified := false
	for _, value := range secrets {
		key := value.Reveal()
		if key == "" {
			continue
		}
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		verified = hmac.Equal(mac.Sum(nil), given) || verified
	}
	return verified
}
