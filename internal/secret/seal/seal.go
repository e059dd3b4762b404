// Package seal closes the value of a secret so that only who asked for it can open it, whoever reads the bus.
//
// It is NATS xkeys (X25519, XSalsa20, Poly1305) with a key of each side that is made for one value and then wiped, so
// that no key found later opens what was recorded earlier.
package seal

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// ErrKey is wrapped by errors about a public key that cannot be used.
var ErrKey = errors.New("not a public curve key")

// Seal closes value for the owner of the public key recipient. It returns the sealed bytes and the public key of the
// sender, which was made for them.
func Seal(value secret.Value, recipient string) (sealed []byte, sender string, err error) {
	if err := CheckKey(recipient); err != nil {
		return nil, "", err
	}
	key, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, "", fmt.Errorf("making a one-time key: %w", err)
	}
	defer key.Wipe()
	if sender, err = key.PublicKey(); err != nil {
		return nil, "", fmt.Errorf("making a one-time key: %w", err)
	}
	plain := []byte(value.Reveal())
	defer clear(plain)
	if sealed, err = key.Seal(plain, recipient); err != nil {
		return nil, "", fmt.Errorf("sealing: %w", err)
	}
	return sealed, sender, nil
}

// CheckKey checks a public key that somebody sent. It refuses, besides what is no key, points of low order: a value that
// is sealed to one of these can be opened by everyone.
func CheckKey(public string) error {
	raw, err := nkeys.Decode(nkeys.PrefixByteCurve, []byte(public))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	point, err := ecdh.X25519().NewPublicKey(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	own, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key to check another with: %w", err)
	}
	if _, err := own.ECDH(point); err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	return nil
}

// Key opens one sealed value. Make one with [NewKey] and [Key.Wipe] it.
type Key struct {
	pair   nkeys.KeyPair
	public string
}

// NewKey makes a key.
func NewKey() (*Key, error) {
	pair, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, fmt.Errorf("making a one-time key: %w", err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("making a one-time key: %w", err)
	}
	return &Key{pair, public}, nil
}

// Public is what the other side seals to.
func (k *Key) Public() string { return k.public }

// Open opens what sender sealed to the key.
func (k *Key) Open(sealed []byte, sender string) (secret.Value, error) {
	if err := CheckKey(sender); err != nil {
		return secret.Value{}, err
	}
	plain, err := k.pair.Open(sealed, sender)
	if err != nil {
		return secret.Value{}, fmt.Errorf("opening: %w", err)
	}
	defer clear(plain)
	return secret.NewValue(string(plain)), nil
}

// Wipe destroys the key.
func (k *Key) Wipe() { k.pair.Wipe() }
