package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// SealKeyBytes is the size of a sealing key: that of AES-256.
const SealKeyBytes = 32

// SealSetting is the name by which the operator knows the sealing keys.
const SealSetting = "WEBHOOK_SEAL_KEYS"

// sealKeyIDBytes is how much of a sealing key's digest tells it from the others.
const sealKeyIDBytes = 8

// Sealer closes generated keys with AES-256-GCM under keys that only the operator has, so that who reads the bucket of
// endpoints, or a backup of it, cannot sign. What is sealed opens only as the key of the endpoint, of the id and of the
// method that it was sealed for: copied to another endpoint it is useless. It is safe for concurrent use.
type Sealer struct {
	first string
	keys  map[string]cipher.AEAD
}

// NewSealer returns a Sealer of keys in base64, each of [SealKeyBytes]: the first seals, all of them open. A value may hold several
// with commas between them, as the setting does. Without keys it can do neither, and says so.
func NewSealer(values []secret.Value) (*Sealer, error) {
	var keys []string
	for _, value := range values {
		keys = append(keys, strings.Split(value.Reveal(), ",")...)
	}
	s := &Sealer{keys: make(map[string]cipher.AEAD, len(keys))}
	for i, key := range keys {
		raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(key))
		if err != nil || len(raw) != SealKeyBytes {
			return nil, fmt.Errorf("key %d of %s is not the base64 of %d bytes; `openssl rand -base64 %d` makes one", i+1, SealSetting, SealKeyBytes, SealKeyBytes)
		}
		id, aead, err := newSealKey(raw)
		if err != nil {
			return nil, fmt.Errorf("key %d of %s: %w", i+1, SealSetting, err)
		}
		if i == 0 {
			s.first = id
		}
		s.keys[id] = aead
	}
	return s, nil
}

// newSealKey returns a key and the id by which records name it.
func newSealKey(raw []byte) (string, cipher.AEAD, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return "", nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return "", nil, err
	}
	digest := sha256.Sum256(append([]byte("mlsdm webhook seal key\x00"), raw...))
	return hex.EncodeToString(digest[:sealKeyIDBytes]), aead, nil
}

// CanSeal returns nil if there is a key to seal with. The error, of code failed_precondition, says what to do.
func (s *Sealer) CanSeal() error {
	if s.first == "" {
		return events.Errorf(events.CodeFailedPrecondition,
			"no key can be generated, because there is nothing to seal it with: set %s to the base64 of %d random bytes, or name a key that stands elsewhere in signing[].key", SealSetting, SealKeyBytes)
	}
	return nil
}

// Holds reports whether there is the key that opens a record's; of a record whose key was not generated it is always true.
func (s *Sealer) Holds(rec Record) bool { return !rec.Generated() || s.keys[rec.SealKey] != nil }

// seal puts a value into the record of an endpoint's key.
func (s *Sealer) seal(endpoint string, rec Record, value secret.Value) (Record, error) {
	if err := s.CanSeal(); err != nil {
		return Record{}, err
	}
	plain := []byte(value.Reveal())
	defer clear(plain)
	rec.SealKey = s.first
	rec.Sealed = s.keys[s.first].Seal(nil, nil, plain, boundTo(endpoint, rec)) //nolint:gosec // NewGCMWithRandomNonce makes the nonce itself
	return rec, nil
}

// open returns the value in the record of an endpoint's key. Errors are of code failed_precondition.
func (s *Sealer) open(endpoint string, rec Record) (secret.Value, error) {
	aead, ok := s.keys[rec.SealKey]
	if !ok {
		return secret.Value{}, events.Errorf(events.CodeFailedPrecondition,
			"key %s was sealed with the sealing key %q, which %s does not hold: add it there again, or rotate the endpoint's key", rec.ID, shorten(rec.SealKey), SealSetting)
	}
	plain, err := aead.Open(nil, nil, rec.Sealed, boundTo(endpoint, rec))
	if err != nil {
		return secret.Value{}, &events.Error{
			Code: events.CodeFailedPrecondition, Err: errors.Join(errTampered, err),
			Message: "key " + rec.ID + " does not open: it was changed, or sealed for another endpoint; rotate the endpoint's key",
		}
	}
	defer clear(plain)
	return secret.NewValue(string(plain)), nil
}

// errTampered is the cause of a sealed key that does not open.
var errTampered = errors.New("a sealed key does not open")

// boundTo is what a sealed key is bound to. None of the parts can hold the byte that parts them.
func boundTo(endpoint string, rec Record) []byte {
	return []byte("mlsdm webhook key 1\x00" + endpoint + "\x00" + rec.ID + "\x00" + rec.Method)
}

// shorten cuts what somebody else wrote, for a message.
func shorten(text string) string {
	const most = 64
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
