package seal

import (
	"fmt"

	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Seal closes a value for the owner of the public xkey recipient, without an envelope and without a signature: for a value that
// is made in the request which carries the key, and told once. It returns the sealed bytes and the public key of the sender,
// which was made for them.
func Seal(value secret.Value, recipient string) (sealed []byte, sender string, err error) {
	if err := CheckKey(recipient); err != nil {
		return nil, "", err
	}
	plain := []byte(value.Reveal())
	defer clear(plain)
	return sealBare(plain, recipient)
}

// sealBare seals with an xkey that is made for it.
func sealBare(plain []byte, recipient string) (sealed []byte, sender string, err error) {
	key, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, "", fmt.Errorf("making a one-time key: %w", err)
	}
	defer key.Wipe()
	if sender, err = key.PublicKey(); err != nil {
		return nil, "", fmt.Errorf("making a one-time key: %w", err)
	}
	if sealed, err = key.Seal(plain, recipient); err != nil {
		return nil, "", fmt.Errorf("sealing: %w", err)
	}
	return sealed, sender, nil
}

// CheckKey checks a public xkey that somebody sent to [Seal] to. It refuses, besides what is no key, points of low order: a value
// that is sealed to one of these can be opened by everyone.
func CheckKey(public string) error { return checkXKey(public) }

// Key opens what [Seal] sealed. Make one with [NewKey] and [Key.Wipe] it.
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
	plain, err := k.open(sealed, sender)
	if err != nil {
		return secret.Value{}, err
	}
	defer clear(plain)
	return secret.NewValue(string(plain)), nil
}

func (k *Key) open(sealed []byte, sender string) ([]byte, error) {
	if err := checkXKey(sender); err != nil {
		return nil, err
	}
	plain, err := k.pair.Open(sealed, sender)
	if err != nil {
		return nil, fmt.Errorf("%w: it does not open: %w", ErrReply, err)
	}
	return plain, nil
}

// Wipe destroys the key.
func (k *Key) Wipe() { k.pair.Wipe() }
