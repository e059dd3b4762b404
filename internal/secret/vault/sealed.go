package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
)

// sealer keeps what is lent to us unreadable in memory while nobody asks for it: its key is made anew for each store. It is
// against a dump that is searched, not against who can read all of the memory.
type sealer struct{ aead cipher.AEAD }

func newSealer() (sealer, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

// seal returns plain sealed.
func (s sealer) seal(plain []byte) []byte {
	return s.aead.Seal(nil, nil, plain, nil) //nolint:gosec // this AEAD makes a nonce of its own
}

// open returns what was sealed; who has used it clears it.
func (s sealer) open(sealed []byte) ([]byte, error) { return s.aead.Open(nil, nil, sealed, nil) }
