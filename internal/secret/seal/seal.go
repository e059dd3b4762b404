// Package seal closes the value of a secret so that only who asked for it can open it, whoever reads the bus, and so that who
// opens it knows that it is the answer to this request, and whose.
//
// A caller makes an [Asker], which makes the request; the service reads it with [Read] and answers with [Signer.Seal];
// [Asker.Open] opens the answer. The keys of both sides are made for one value and then forgotten, so that no key
// found later opens what was recorded earlier. Inside of the seal stand the name, the version and the nonce of the request, so
// that a reply which is moved to another request does not open. The whole of the reply is signed (ed25519), so that a caller who
// knows its secretd takes nothing from anybody else.
//
// There are two ways to seal: NATS xkeys (X25519, XSalsa20, Poly1305), and HPKE (RFC 9180) with the hybrid of ML-KEM-768 and
// X25519. There is none without a seal.
package seal

import (
	"crypto/hpke"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/nats-io/nkeys"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Errors about what somebody sent.
var (
	// ErrKey is wrapped by errors about a public key that cannot be used.
	ErrKey = errors.New("not a public key to seal to")
	// ErrReply is wrapped by errors about a reply that is not the answer to the request, or not secretd's.
	ErrReply = errors.New("not the answer to the request")
)

// Bounds of what is decoded.
const (
	xkeyLength = 56 // of an encoded public xkey; nkeys panics on longer ones
	maxHybrid  = 2048
)

// algOf returns which way to seal a request asks for.
func algOf(alg string) (string, error) {
	switch alg {
	case "", events.SealXKey:
		return events.SealXKey, nil
	case events.SealHybrid:
		return events.SealHybrid, nil
	default:
		return "", fmt.Errorf("alg is %s or %s", events.SealXKey, events.SealHybrid)
	}
}

// readXKey reads a public xkey that somebody sent. It refuses, besides what is no key, points of low order: what is sealed to
// one of these can be opened by everyone.
func readXKey(public string) ([]byte, error) {
	if len(public) != xkeyLength {
		return nil, fmt.Errorf("%w: an xkey has %d characters", ErrKey, xkeyLength)
	}
	point, err := nkeys.Decode(nkeys.PrefixByteCurve, []byte(public))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if len(point) != 32 || lowOrder(point) {
		return nil, fmt.Errorf("%w: it is a point of low order", ErrKey)
	}
	return point, nil
}

// lowOrder reports whether a u-coordinate of Curve25519 is that of a point of low order, in any of the forms in which it can be
// written (https://cr.yp.to/ecdh.html#validate). X25519 ignores the highest bit.
func lowOrder(point []byte) bool {
	var u [32]byte
	copy(u[:], point)
	u[31] &= 0x7f
	switch hex.EncodeToString(u[:]) {
	case "0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f":
		return true
	default:
		return false
	}
}

// The parts of HPKE that [events.SealHybrid] stands for.
func kem() hpke.KEM   { return hpke.MLKEM768X25519() }
func kdf() hpke.KDF   { return hpke.HKDFSHA256() }
func aead() hpke.AEAD { return hpke.ChaCha20Poly1305() }

// decode reads the base64 of a key of HPKE.
func decode(text string) ([]byte, error) {
	if len(text) > maxHybrid {
		return nil, fmt.Errorf("%w: it has %d characters", ErrKey, len(text))
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no base64", ErrKey)
	}
	return raw, nil
}

// checkNonce checks the nonce of a request.
func checkNonce(nonce string) error {
	if len(nonce) < events.MinNonce || len(nonce) > events.MaxNonce {
		return fmt.Errorf("a nonce has %d to %d characters, this one has %d", events.MinNonce, events.MaxNonce, len(nonce))
	}
	for i := range len(nonce) {
		if c := nonce[i]; c <= ' ' || c > '~' {
			return errors.New("a nonce is made of printable ASCII characters but space")
		}
	}
	return nil
}
