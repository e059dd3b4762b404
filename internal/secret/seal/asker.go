package seal

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Asker is who asks for one secret: it makes the request, and opens the answer. Make one with [NewAsker] and [Asker.Wipe] it.
type Asker struct {
	alg     string
	xkey    *Key            // of events.SealXKey
	private hpke.PrivateKey // of events.SealHybrid
	public  string
	nonce   string
}

// NewAsker makes a key and a nonce for one request; alg is [events.SealXKey], which empty means too, or [events.SealHybrid].
func NewAsker(alg string) (*Asker, error) {
	alg, err := algOf(alg)
	if err != nil {
		return nil, err
	}
	a := &Asker{alg: alg, nonce: rand.Text()}
	if alg == events.SealHybrid {
		if a.private, err = kem().GenerateKey(); err != nil {
			return nil, fmt.Errorf("making a one-time key: %w", err)
		}
		a.public = base64.StdEncoding.EncodeToString(a.private.PublicKey().Bytes())
		return a, nil
	}
	if a.xkey, err = NewKey(); err != nil {
		return nil, err
	}
	a.public = a.xkey.Public()
	return a, nil
}

// Request returns the one request that the key and the nonce are for.
func (a *Asker) Request(name string, noCache bool) events.SecretRequest {
	return events.SecretRequest{Name: name, RecipientKey: a.public, Alg: a.alg, Nonce: a.nonce, NoCache: noCache}
}

// Open checks that a reply answers the request for name, made by caller, and opens it. With the public key of a secretd
// (signer) it takes no other's reply; without one nothing tells who sealed it but the permissions of the bus. Errors wrap
// [ErrReply] or [ErrKey] and hold nothing of the value.
func (a *Asker) Open(caller, name, signer string, r events.SecretResponse) (secret.Value, error) {
	alg, err := algOf(r.Alg)
	switch {
	case err != nil:
		return secret.Value{}, fmt.Errorf("%w: %w", ErrReply, err)
	case alg != a.alg || r.Name != name || r.Nonce != a.nonce:
		return secret.Value{}, fmt.Errorf("%w: it is about another secret, of another nonce, or sealed in another way", ErrReply)
	}
	if signer != "" {
		if err := verify(signer, caller, a.public, r); err != nil {
			return secret.Value{}, err
		}
	}
	plain, err := a.open(caller, r)
	if err != nil {
		return secret.Value{}, err
	}
	defer clear(plain)
	var inside events.SecretEnvelope
	decoder := json.NewDecoder(bytes.NewReader(plain))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&inside) != nil { // its error would quote what is inside
		return secret.Value{}, fmt.Errorf("%w: what is in the seal cannot be read", ErrReply)
	}
	defer clear(inside.Value)
	if inside.Name != r.Name || inside.Version != r.Version || inside.Nonce != r.Nonce {
		return secret.Value{}, fmt.Errorf("%w: what is in the seal is of another request", ErrReply)
	}
	return secret.NewValue(string(inside.Value)), nil
}

// open opens the seal.
func (a *Asker) open(caller string, r events.SecretResponse) ([]byte, error) {
	if a.alg == events.SealHybrid {
		encapsulated, err := decode(r.SenderKey)
		if err != nil {
			return nil, err
		}
		recipient, err := hpke.NewRecipient(encapsulated, a.private, kdf(), aead(), events.SecretContext(caller, r.Name, r.Nonce))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		plain, err := recipient.Open(nil, r.Sealed)
		if err != nil {
			return nil, fmt.Errorf("%w: it does not open: %w", ErrReply, err)
		}
		return plain, nil
	}
	return a.xkey.open(r.Sealed, r.SenderKey)
}

// Wipe destroys the key: the asker opens nothing any more. What Go's HPKE made of it stays in memory until it is collected.
func (a *Asker) Wipe() {
	if a.xkey != nil {
		a.xkey.Wipe()
	}
	a.private = nil
	a.alg = "wiped"
}
