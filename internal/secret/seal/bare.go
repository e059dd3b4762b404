package seal

import (
	"fmt"

	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Seal closes a value for the owner of the public xkey recipient, without an envelope and without a signature: for a value that
// is made in the request which carries the key, and told once. It returns the sealed bytes and the public key of the sender,
// which was made for them.
func Seal(value secret.Value, recipient string) (sealed []byte, public string, err error) {
	point, err := readXKey(recipient)
	if err != nil {
		return nil, "", err
	}
	from, err := newSender()
	if err != nil {
		return nil, "", err
	}
	plain := []byte(value.Reveal())
	defer clear(plain)
	if sealed, err = from.seal(plain, point); err != nil {
		return nil, "", err
	}
	return sealed, from.public, nil
}

// CheckKey checks a public xkey that somebody sent to [Seal] to. It refuses, besides what is no key, points of low order: a value
// that is sealed to one of these can be opened by everyone.
func CheckKey(public string) error {
	_, err := readXKey(public)
	return err
}

// Key opens what [Seal] sealed. Make one with [NewKey] and [Key.Wipe] it.
type Key struct {
	pair   nkeys.KeyPair
	public string
}

// NewKey makes a key.
func NewKey() (*Key, error) {
	pair, public, err := newPair()
	if err != nil {
		return nil, err
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
	if err := CheckKey(sender); err != nil {
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
