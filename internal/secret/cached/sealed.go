package cached

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// nonceSize is that of AES-GCM.
const nonceSize = 12

// mark tells values apart without holding them.
type mark [16]byte

// sealer seals values under a key of this process.
type sealer struct {
	aead  cipher.AEAD
	key   []byte // of marks
	count atomic.Uint64
}

// newSealer makes the keys, at random.
func newSealer() (*sealer, error) {
	var keys [64]byte
	defer clear(keys[:])
	if _, err := rand.Read(keys[:]); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	block, err := aes.NewCipher(keys[:32])
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return &sealer{aead: aead, key: append([]byte(nil), keys[32:]...)}, nil
}

// seal returns the value in a box of one holder, and its mark.
func (s *sealer) seal(value secret.Value) (*box, mark) {
	text := []byte(value.Reveal())
	defer clear(text)
	sealed := make([]byte, nonceSize, nonceSize+len(text)+s.aead.Overhead())
	binary.BigEndian.PutUint64(sealed[nonceSize-8:], s.count.Add(1))      // a nonce that is never used twice
	b := &box{sealed: s.aead.Seal(sealed, sealed[:nonceSize], text, nil)} //nolint:gosec // the nonce is the count above
	b.holders.Store(1)
	return b, s.mark(text)
}

// mark is a keyed hash. The zeros at the end of what it reads leave nothing of the text in the hash's buffer.
func (s *sealer) mark(text []byte) mark {
	var zeros [sha256.BlockSize]byte
	hash := hmac.New(sha256.New, s.key)
	hash.Write(text)
	hash.Write(zeros[:])
	return mark(hash.Sum(nil))
}

// open returns what is in the box, which the caller holds, as a value that can be wiped.
func (s *sealer) open(b *box) (secret.Value, error) {
	text, err := s.aead.Open(nil, b.sealed[:nonceSize], b.sealed[nonceSize:], nil)
	if err != nil {
		return secret.Value{}, fmt.Errorf("opening a value that was sealed in this process: %w", err)
	}
	return secret.TakeValue(text), nil
}

// box is a sealed value. It is overwritten when its last holder lets go of it.
type box struct {
	sealed  []byte
	holders atomic.Int32
}

// hold adds a holder. Only who holds the box may, or who knows that somebody does.
func (b *box) hold() { b.holders.Add(1) }

// release is the end of one holder.
func (b *box) release() {
	if b.holders.Add(-1) == 0 {
		clear(b.sealed)
		b.sealed = nil
	}
}
