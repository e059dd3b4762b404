package events

import (
	"encoding/binary"
	"time"
)

// Ways in which a secret is sealed to its caller.
const (
	// SealXKey is NATS xkeys: X25519, XSalsa20 and Poly1305. It is what an empty Alg means.
	SealXKey = "xkey"
	// SealHybrid is HPKE (RFC 9180) in base mode with the hybrid of ML-KEM-768 and X25519 (X-Wing), HKDF-SHA256 and
	// ChaCha20-Poly1305: what is recorded today cannot be opened by a quantum computer of tomorrow.
	SealHybrid = "hpke-mlkem768-x25519"
)

// MinNonce and MaxNonce bound the nonce of a [SecretRequest], in bytes.
const (
	MinNonce = 16
	MaxNonce = 64
)

// SecretRequest is the body of a request on mlsdm.as.<caller>.secrets.get.
type SecretRequest struct {
	// Name is the secret's name: 1 to 128 of the characters A-Z a-z 0-9 _ . -, without "..", as listed by the operator. It may
	// also be a reference, STORE:PATH[#FIELD][@VERSION], where the operator's policy lets the caller use references.
	Name string `json:"name" jsonschema:"minLength=1,maxLength=512"`
	// RecipientKey is the public key that the caller made for this one request: an xkey (a curve key, starting with X), or the
	// base64 of a public key of SealHybrid.
	RecipientKey string `json:"recipient_key" jsonschema:"minLength=1,maxLength=2048"`
	// Alg is SealXKey or SealHybrid; empty is SealXKey.
	Alg string `json:"alg,omitempty" jsonschema:"enum=xkey,enum=hpke-mlkem768-x25519"`
	// Nonce is made for this one request, 16 to 64 printable ASCII characters; the reply repeats it inside of the seal. A request
	// without one is refused.
	Nonce string `json:"nonce,omitempty" jsonschema:"minLength=16,maxLength=64"`
	// NoCache asks the store now, whatever is known. It is limited in rate.
	NoCache bool `json:"no_cache,omitempty"`
}

// SecretResponse carries a secret sealed to the caller's key, so that nobody who reads the bus can read the value.
type SecretResponse struct {
	Name string `json:"name" jsonschema:"minLength=1,maxLength=512"`
	// Source names the store that answered, for example "env".
	Source string `json:"source"`
	// Version is the store's version of the value, where it has versions.
	Version string `json:"version,omitempty"`
	// FetchedAt is when the store was asked.
	FetchedAt time.Time `json:"fetched_at,omitzero"`
	// Stale says that the value is past its time, and that the store cannot be asked now.
	Stale bool `json:"stale,omitempty"`
	// Alg is that of the request.
	Alg string `json:"alg,omitempty" jsonschema:"enum=xkey,enum=hpke-mlkem768-x25519"`
	// Nonce is that of the request.
	Nonce string `json:"nonce,omitempty"`
	// SenderKey is what the caller needs to open Sealed beside its own key: the public xkey that the service made for this one
	// reply, or the encapsulated key of SealHybrid, in base64.
	SenderKey string `json:"sender_key"`
	// Sealed is a [SecretEnvelope] in JSON, sealed to RecipientKey; with SealHybrid under [SecretContext] as the info of HPKE.
	Sealed []byte `json:"sealed"`
	// SignerKey is the public nkey of the service (a user key, starting with U), and Signature its signature (ed25519) of
	// SignedSecret; callers who know the key of their secretd accept no other.
	SignerKey string `json:"signer_key,omitempty"`
	Signature []byte `json:"signature,omitempty"`
}

// SecretEnvelope is what is inside of the seal: the value, bound to the request that it answers.
type SecretEnvelope struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Nonce   string `json:"nonce"`
	// Value is the secret, as bytes: base64 in JSON.
	Value []byte `json:"value"`
}

// SecretsListRequest is the body of a request on mlsdm.as.<caller>.secrets.list; it may be empty.
type SecretsListRequest struct {
	// Limit is how many secrets are wanted, 1 to 1000; 1000 when it is 0.
	Limit int `json:"limit,omitempty" jsonschema:"minimum=0,maximum=1000"`
	// After is the name after which the list goes on: the Next of the reply before.
	After string `json:"after,omitempty" jsonschema:"maxLength=128"`
}

// Validate checks the bounds.
func (r SecretsListRequest) Validate() error { return inRange("limit", float64(r.Limit), 0, 1000) }

// SecretsList tells of the secrets that the caller may have; never a value.
type SecretsList struct {
	// Secrets are those of the operator's configuration that the caller may have, ordered by name. What can be had by reference
	// alone is not among them: only its store knows what there is.
	Secrets []SecretInfo `json:"secrets"`
	// Next is what to ask for after this; empty when there is no more.
	Next string `json:"next,omitempty"`
}

// States of a secret.
const (
	SecretUnknown  = "unknown"  // nobody has asked for it yet
	SecretFresh    = "fresh"    // known, and in its time
	SecretStale    = "stale"    // known, past its time, and its store cannot be asked now
	SecretMissing  = "missing"  // no store has it
	SecretFailing  = "failing"  // no store that may have it answers, and nothing is known
	SecretRefusing = "refusing" // its store refuses it, or it was disabled there
)

// SecretInfo tells of one secret.
type SecretInfo struct {
	Name string `json:"name"`
	// State is one of the constants above.
	State string `json:"state" jsonschema:"enum=unknown,enum=fresh,enum=stale,enum=missing,enum=failing,enum=refusing"`
	// Source and Version are those of the value that is known.
	Source  string `json:"source,omitempty"`
	Version string `json:"version,omitempty"`
	// FetchedAt is when its store was last asked with success, ExpiresAt until when the value may be used.
	FetchedAt time.Time `json:"fetched_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// SecretsRefreshRequest is the body of a request on mlsdm.as.<caller>.secrets.refresh.
type SecretsRefreshRequest struct {
	// Name is the secret whose stores are asked now, whatever is known.
	Name string `json:"name" jsonschema:"minLength=1,maxLength=512"`
}

// SecretsRefreshed tells what came of it.
type SecretsRefreshed struct {
	Secret SecretInfo `json:"secret"`
	// Rotated says that the version is another than before; PreviousVersion is which that was.
	Rotated         bool   `json:"rotated"`
	PreviousVersion string `json:"previous_version,omitempty"`
}

// SecretAccess is one record of the audit: who asked for what, and what came of it. It holds neither the name nor the value.
type SecretAccess struct {
	Time time.Time `json:"time"`
	// Caller is who asked, as the bus knows it.
	Caller string `json:"caller"`
	// Operation is secrets.get, secrets.list or secrets.refresh.
	Operation string `json:"operation"`
	// NameHash is the HMAC-SHA256 of the name under the installation's audit key, in hex; empty when no valid name was given.
	NameHash string `json:"name_hash,omitempty"`
	// Outcome is "given", or the code of the error.
	Outcome string `json:"outcome"`
	// Source and Version are those of the value that was given.
	Source  string `json:"source,omitempty"`
	Version string `json:"version,omitempty"`
	// Stale says that it was past its time, and NoCache that the caller wanted the store to be asked.
	Stale   bool `json:"stale,omitempty"`
	NoCache bool `json:"no_cache,omitempty"`
	// LatencyMS is how long the answer took, in milliseconds.
	LatencyMS float64 `json:"latency_ms"`
}

// SignedSecret returns what the service signs of its reply: who asked, with which key, and everything of the reply but the
// signature. Each part stands behind its length in eight bytes, the highest first, so that no two replies read the same.
func SignedSecret(caller, recipientKey string, r SecretResponse) []byte {
	stale := "0"
	if r.Stale {
		stale = "1"
	}
	return inParts("mlsdm.secret.v1", caller, recipientKey, r.Name, r.Source, r.Version, r.FetchedAt.UTC().Format(time.RFC3339Nano),
		stale, r.Alg, r.Nonce, r.SenderKey, string(r.Sealed), r.SignerKey)
}

// SecretContext is what a secret that is sealed with [SealHybrid] is bound to: who asked, for what, and in which request. It is the
// info of HPKE, in the form of [SignedSecret].
func SecretContext(caller, name, nonce string) []byte {
	return inParts("mlsdm.secret.hpke.v1", caller, name, nonce)
}

// inParts writes parts behind their lengths.
func inParts(parts ...string) []byte {
	size := 0
	for _, part := range parts {
		size += 8 + len(part)
	}
	b := make([]byte, 0, size)
	for _, part := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}
