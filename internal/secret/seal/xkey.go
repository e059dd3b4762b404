package seal

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"

	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/salsa20/salsa" //nolint:staticcheck // NaCl's box is made of it
)

// sender is the side that seals: an xkey that is made for one value. What it makes is what nkeys makes and opens. That package
// multiplies points three times and more for a key and a seal of which two multiplications are enough, and those are nearly all
// that a get of a secret costs.
type sender struct {
	private *ecdh.PrivateKey
	public  string
}

// newSender makes a key.
func newSender() (sender, error) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return sender{}, fmt.Errorf("making a one-time key: %w", err)
	}
	public, err := nkeys.Encode(nkeys.PrefixByteCurve, private.PublicKey().Bytes())
	if err != nil {
		return sender{}, fmt.Errorf("making a one-time key: %w", err)
	}
	return sender{private, string(public)}, nil
}

// seal seals to a point that was checked: the version, a nonce, and the box of NaCl.
func (s sender) seal(plain, point []byte) ([]byte, error) {
	const version, nonceSize = nkeys.XKeyVersionV1, 24
	public, err := ecdh.X25519().NewPublicKey(point)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	product, err := s.private.ECDH(public) // refuses points of low order too
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	defer clear(product)
	var key [32]byte
	defer clear(key[:])
	salsa.HSalsa20(&key, new([16]byte), (*[32]byte)(product), &salsa.Sigma)
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // never fails: crypto/rand ends the process instead
	out := make([]byte, 0, len(version)+nonceSize+secretbox.Overhead+len(plain))
	out = append(append(out, version...), nonce[:]...)
	return secretbox.Seal(out, plain, &nonce, &key), nil
}

// newPair makes an xkey to seal to.
func newPair() (pair nkeys.KeyPair, public string, err error) {
	made, err := newSender()
	if err != nil {
		return nil, "", err
	}
	raw := made.private.Bytes()
	defer clear(raw)
	seed, err := nkeys.EncodeSeed(nkeys.PrefixByteCurve, raw)
	if err == nil {
		pair, err = nkeys.FromCurveSeed(seed)
	}
	clear(seed)
	if err != nil {
		return nil, "", fmt.Errorf("making a one-time key: %w", err)
	}
	return pair, made.public, nil
}
