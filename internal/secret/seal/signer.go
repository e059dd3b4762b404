package seal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Recipient is who a secret is sealed to: what a request says of it, checked. Make one with [Read].
type Recipient struct {
	alg, key, nonce string
	point           []byte         // of events.SealXKey
	hybrid          hpke.PublicKey // of events.SealHybrid
}

// Read checks the key, the nonce and the way to seal of a request. What cannot be used is an [events.Error] of code
// invalid_argument.
func Read(r events.SecretRequest) (Recipient, error) {
	alg, err := algOf(r.Alg)
	if err != nil {
		return Recipient{}, events.Errorf(events.CodeInvalidArgument, "%w", err)
	}
	if err := checkNonce(r.Nonce); err != nil {
		return Recipient{}, events.Errorf(events.CodeInvalidArgument, "nonce must be made for this request: %w", err)
	}
	to := Recipient{alg: alg, key: r.RecipientKey, nonce: r.Nonce}
	if alg == events.SealXKey {
		to.point, err = readXKey(r.RecipientKey)
	} else {
		to.hybrid, err = readHybrid(r.RecipientKey)
	}
	if err != nil {
		return Recipient{}, events.Errorf(events.CodeInvalidArgument, "recipient_key must be a public key that was made for this request: %w", err)
	}
	return to, nil
}

// readHybrid reads a public key of HPKE.
func readHybrid(text string) (hpke.PublicKey, error) {
	raw, err := decode(text)
	if err != nil {
		return nil, err
	}
	key, err := kem().NewPublicKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}

// Content is what is sealed, and what is said of it outside of the seal.
type Content struct {
	Value           secret.Value
	Source, Version string
	FetchedAt       time.Time
	Stale           bool
}

// Signer seals in the name of one secretd. It is safe for concurrent use.
type Signer struct {
	private ed25519.PrivateKey
	public  string
	senders chan sender   // made ahead
	low     chan struct{} // says that few are left
}

// ahead is how many one-time keys are made ahead.
const ahead = 64

// NewSigner returns a signer of the seed of an nkey, a user's (SU…).
func NewSigner(seed secret.Value) (*Signer, error) {
	prefix, raw, err := nkeys.DecodeSeed([]byte(seed.Reveal()))
	if err != nil || prefix != nkeys.PrefixByteUser { // the error may tell of the seed
		return nil, errors.New("it is no seed of an nkey of a user (SU…), as `nk -gen user` makes one")
	}
	defer clear(raw)
	return newSigner(ed25519.NewKeyFromSeed(raw))
}

// MakeSigner returns a signer with a key of its own, which ends with it.
func MakeSigner() (*Signer, error) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making a key to sign with: %w", err)
	}
	return newSigner(private)
}

func newSigner(private ed25519.PrivateKey) (*Signer, error) {
	public, err := nkeys.Encode(nkeys.PrefixByteUser, private[ed25519.SeedSize:])
	if err != nil {
		return nil, fmt.Errorf("the public key: %w", err)
	}
	return &Signer{private: private, public: string(public), senders: make(chan sender, ahead), low: make(chan struct{}, 1)}, nil
}

// Public is the public nkey by which callers know the signer.
func (s *Signer) Public() string { return s.public }

// Seal answers the request for name of caller, whose key is to's.
func (s *Signer) Seal(caller, name string, to Recipient, c Content) (events.SecretResponse, error) {
	plain, err := envelope(events.SecretEnvelope{Name: name, Version: c.Version, Nonce: to.nonce}, c.Value)
	if err != nil {
		return events.SecretResponse{}, err
	}
	defer clear(plain)
	r := events.SecretResponse{
		Name: name, Source: c.Source, Version: c.Version, FetchedAt: c.FetchedAt, Stale: c.Stale, Alg: to.alg, Nonce: to.nonce,
		SignerKey: s.public,
	}
	if to.alg == events.SealHybrid {
		err = sealHybrid(&r, caller, to, plain)
	} else {
		err = s.sealXKey(&r, to, plain)
	}
	if err != nil {
		return events.SecretResponse{}, fmt.Errorf("sealing: %w", err)
	}
	r.Signature = ed25519.Sign(s.private, events.SignedSecret(caller, to.key, r))
	return r, nil
}

// envelope writes the JSON of what is to be sealed. The value does not pass through encoding/json, whose buffers are kept for later
// and would keep it.
func envelope(e events.SecretEnvelope, v secret.Value) ([]byte, error) {
	head, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("writing what is to be sealed: %w", err)
	}
	head, isLast := bytes.CutSuffix(head, []byte("null}")) // how the value is written when there is none
	if !isLast {
		return nil, errors.New("writing what is to be sealed: the value is not its last member")
	}
	value := []byte(v.Reveal())
	defer clear(value)
	const quotes = len(`""}`)
	plain := make([]byte, 0, len(head)+base64.StdEncoding.EncodedLen(len(value))+quotes) // else a copy would be left behind
	plain = append(append(plain, head...), '"')
	return append(base64.StdEncoding.AppendEncode(plain, value), `"}`...), nil
}

// sealXKey seals with an xkey that is used for nothing else.
func (s *Signer) sealXKey(r *events.SecretResponse, to Recipient, plain []byte) error {
	from, err := s.sender()
	if err == nil {
		r.SenderKey = from.public
		r.Sealed, err = from.seal(plain, to.point)
	}
	return err
}

// Run makes one-time keys ahead, many at once, so that a caller need not wait for one to be made, until ctx ends. Without it they
// are made when they are needed.
func (s *Signer) Run(ctx context.Context) error {
	for {
		for len(s.senders) < ahead {
			next, err := newSender()
			if err != nil {
				return err
			}
			s.senders <- next // nobody else sends
		}
		select {
		case <-s.low:
		case <-ctx.Done():
			return nil
		}
	}
}

// sender takes a key that was made ahead, or makes one.
func (s *Signer) sender() (sender, error) {
	if len(s.senders) <= ahead/2 {
		select {
		case s.low <- struct{}{}:
		default:
		}
	}
	select {
	case from := <-s.senders:
		return from, nil
	default:
		return newSender()
	}
}

// sealHybrid seals with HPKE.
func sealHybrid(r *events.SecretResponse, caller string, to Recipient, plain []byte) error {
	encapsulated, sender, err := hpke.NewSender(to.hybrid, kdf(), aead(), events.SecretContext(caller, r.Name, to.nonce))
	if err != nil {
		return err
	}
	r.SenderKey = base64.StdEncoding.EncodeToString(encapsulated)
	r.Sealed, err = sender.Seal(nil, plain)
	return err
}

// verify checks that a reply to caller, who asked with the public key recipient, is of the signer that it has to be of.
func verify(signer, caller, recipient string, r events.SecretResponse) error {
	if r.SignerKey != signer {
		return fmt.Errorf("%w: it is signed by another than the secretd that is known", ErrReply)
	}
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(signer))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: the secretd that is known is not known by a public nkey of a user (U…)", ErrReply)
	}
	if !ed25519.Verify(raw, events.SignedSecret(caller, recipient, r), r.Signature) {
		return fmt.Errorf("%w: its signature is wrong", ErrReply)
	}
	return nil
}
