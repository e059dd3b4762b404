package keyring

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Record is a signing key of an endpoint, as it is stored: a reference, or a generated key that is sealed.
type Record struct {
	// ID tells the keys of an endpoint apart.
	ID string `json:"id"`
	// Method is [events.SignHMAC] or [events.SignEd25519].
	Method string `json:"method"`
	// Reference is where the key stands; empty when it was generated.
	Reference string `json:"reference,omitempty"`
	// Sealed is the generated key, and SealKey the id of the operator's key that opens it; see [Sealer].
	Sealed  []byte `json:"sealed,omitempty"`
	SealKey string `json:"seal_key,omitempty"`
	// PublicKey is that of a generated key of method v1a.
	PublicKey string `json:"public_key,omitempty"`
	// CreatedAt is when it began to sign.
	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is when it ends; zero while nothing has replaced it.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// Refer returns the record of a key that stands where the reference says.
func Refer(method, reference string, now time.Time) Record {
	return Record{ID: newID(), Method: method, Reference: reference, CreatedAt: now}
}

// Generated reports whether the key was generated here.
func (r Record) Generated() bool { return r.Reference == "" }

// Ended reports whether the key signs no more.
func (r Record) Ended(now time.Time) bool { return !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt) }

// View returns the key as it may be shown. A record that was written by hand may have the key itself where its reference
// belongs.
func (r Record) View() events.EndpointKey {
	reference := r.Reference
	if !r.Generated() && !IsReference(reference) {
		reference = "***"
	}
	return events.EndpointKey{
		ID: r.ID, Method: r.Method, Reference: reference, PublicKey: r.PublicKey, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
	}
}

// newID makes an id of 60 random bits: no two keys of an endpoint have the same.
func newID() string { return "k" + strings.ToLower(rand.Text()[:12]) }
