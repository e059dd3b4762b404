package gitlab

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Verify reports whether token, the X-Gitlab-Token of a webhook, is one of the secrets. There are several while one takes the place of
// another. All of them are tried, and compared in constant time. A secret whose content is not known at this time, or is empty, is
// nobody's. A token says who has sent a webhook, and nothing about its body.
func Verify(secrets []secret.Value, token string) bool {
	given := sha256.Sum256([]byte(token)) // of one length, so that the time does not tell that of the secret
	verified := false
	for _, value := range secrets {
		text := value.Reveal()
		if text == "" {
			continue
		}
		want := sha256.Sum256([]byte(text))
		verified = subtle.ConstantTimeCompare(want[:], given[:]) == 1 || verified
	}
	return verified
}
