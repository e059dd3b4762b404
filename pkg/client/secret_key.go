package client

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"encoding/base64"

	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// sealKey is a key that is made for one request for a secret.
type sealKey interface {
	// recipient is the public key.
	recipient() string
	// unseal opens what the reply to caller has sealed to the key.
	unseal(caller string, r events.SecretResponse) ([]byte, error)
	// wipe forgets the key.
	wipe()
}

// newSealKey makes a key.
func newSealKey(alg string) (sealKey, error) {
	if alg == events.SealHybrid {
		return newHybridKey()
	}
	return newOneTimeKey()
}

// oneTimeKey is an xkey that is made for one request, to which the reply's secrets are sealed.
type oneTimeKey struct {
	pair   nkeys.KeyPair
	public string
}

func newOneTimeKey() (oneTimeKey, error) {
	// Not by nkeys.CreateCurveKeys, which makes a pair of another kind first, and makes the public key twice.
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return oneTimeKey{}, events.Errorf(events.CodeInternal, "the one-time key could not be made: %w", err)
	}
	raw := private.Bytes()
	defer clear(raw)
	public, err := nkeys.Encode(nkeys.PrefixByteCurve, private.PublicKey().Bytes())
	if err != nil {
		return oneTimeKey{}, events.Errorf(events.CodeInternal, "the one-time key could not be made: %w", err)
	}
	seed, err := nkeys.EncodeSeed(nkeys.PrefixByteCurve, raw)
	if err != nil {
		return oneTimeKey{}, events.Errorf(events.CodeInternal, "the one-time key could not be made: %w", err)
	}
	defer clear(seed)
	pair, err := nkeys.FromCurveSeed(seed)
	if err != nil {
		return oneTimeKey{}, events.Errorf(events.CodeInternal, "the one-time key could not be made: %w", err)
	}
	return oneTimeKey{pair, string(public)}, nil
}

func (k oneTimeKey) recipient() string { return k.public }

func (k oneTimeKey) unseal(_ string, r events.SecretResponse) ([]byte, error) {
	return k.openBytes(r.Sealed, r.SenderKey)
}

func (k oneTimeKey) openBytes(sealed []byte, sender string) ([]byte, error) {
	if len(sender) != len(k.public) { // nkeys panics on a longer one
		return nil, events.Errorf(events.CodeInternal, "the reply has no sender key that could be used")
	}
	value, err := k.pair.Open(sealed, sender)
	if err != nil {
		return nil, events.Errorf(events.CodeInternal, "the sealed value cannot be opened: %w", err)
	}
	return value, nil
}

// open opens what was sealed to the key without an envelope.
func (k oneTimeKey) open(sealed []byte, sender string) (Secret, error) {
	value, err := k.openBytes(sealed, sender)
	if err != nil {
		return Secret{}, err
	}
	text := string(value)
	clear(value)
	return Secret{text: &text}, nil
}

func (k oneTimeKey) wipe() { k.pair.Wipe() }

// hybridKey is a key of HPKE. Go has no way to wipe it; it is forgotten.
type hybridKey struct {
	private hpke.PrivateKey
	public  string
}

func newHybridKey() (hybridKey, error) {
	private, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return hybridKey{}, events.Errorf(events.CodeInternal, "the one-time key could not be made: %w", err)
	}
	return hybridKey{private, base64.StdEncoding.EncodeToString(private.PublicKey().Bytes())}, nil
}

func (k hybridKey) recipient() string { return k.public }

func (k hybridKey) unseal(caller string, r events.SecretResponse) ([]byte, error) {
	encapsulated, err := base64.StdEncoding.DecodeString(r.SenderKey)
	if err != nil {
		return nil, events.Errorf(events.CodeInternal, "the reply has no sender key that could be used")
	}
	recipient, err := hpke.NewRecipient(encapsulated, k.private, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(),
		events.SecretContext(caller, r.Name, r.Nonce))
	if err != nil {
		return nil, events.Errorf(events.CodeInternal, "the reply has no sender key that could be used: %w", err)
	}
	value, err := recipient.Open(nil, r.Sealed)
	if err != nil {
		return nil, events.Errorf(events.CodeInternal, "the sealed value cannot be opened: %w", err)
	}
	return value, nil
}

func (k hybridKey) wipe() {}

// signer is the secretd that is known by its public key.
type signer struct {
	name   string
	public ed25519.PublicKey
}

// newSigner reads a public nkey of a user.
func newSigner(name string) (*signer, error) {
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(name))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, events.Errorf(events.CodeInvalidArgument, "the key of secretd is no public nkey of a user (U…)")
	}
	return &signer{name, raw}, nil
}

// verify checks that a reply to caller, who asked with the public key recipient, is the signer's.
func (s *signer) verify(caller, recipient string, r events.SecretResponse) error {
	if r.SignerKey != s.name || !ed25519.Verify(s.public, events.SignedSecret(caller, recipient, r), r.Signature) {
		return events.Errorf(events.CodeInternal, "the reply is not signed by the secretd that is known (client.SecretdKey)")
	}
	return nil
}
