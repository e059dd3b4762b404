package events

import (
	"encoding/json"
	"time"
)

// EndpointsListRequest is the body of a request on webhooks.endpoints.list.
type EndpointsListRequest struct {
	// Limit is how many endpoints are wanted, 1 to 1000; 1000 when it is 0.
	Limit int `json:"limit,omitempty" jsonschema:"minimum=0,maximum=1000"`
	// After is the id after which the list goes on: the Next of the reply before.
	After string `json:"after,omitempty" jsonschema:"maxLength=64"`
}

// Validate checks the bounds.
func (r EndpointsListRequest) Validate() error { return inRange("limit", float64(r.Limit), 0, 1000) }

// EndpointsList is the reply of webhooks.endpoints.list.
type EndpointsList struct {
	// Endpoints are ordered by id.
	Endpoints []Endpoint `json:"endpoints"`
	// Next is what to ask for after this; empty when there is no more.
	Next string `json:"next,omitempty"`
}

// EndpointRequest names one endpoint: the body of webhooks.endpoints.get and test.
type EndpointRequest struct {
	// ID is the endpoint's id.
	ID string `json:"id" jsonschema:"minLength=1,maxLength=64"`
}

// Validate checks the id.
func (r EndpointRequest) Validate() error { return CheckEndpointID(r.ID) }

// EndpointCreateRequest is the body of webhooks.endpoints.create.
type EndpointCreateRequest struct {
	// Endpoint is what to create.
	Endpoint EndpointSpec `json:"endpoint"`
	// RecipientKey is a public xkey made for this one request, to which generated secrets are sealed in the reply. Without it
	// no secret of method v1 can be generated.
	RecipientKey string `json:"recipient_key,omitempty"`
	// DryRun checks everything and changes nothing.
	DryRun bool `json:"dry_run,omitempty"`
}

// EndpointUpdateRequest is the body of webhooks.endpoints.update.
type EndpointUpdateRequest struct {
	// ID is the endpoint's id.
	ID string `json:"id" jsonschema:"minLength=1,maxLength=64"`
	// Endpoint holds the fields to change; null takes one back (JSON Merge Patch, RFC 7396).
	Endpoint json.RawMessage `json:"endpoint"`
	// Replace takes Endpoint for all of it: what it does not say is taken back.
	Replace bool `json:"replace,omitempty"`
	// Revision is that of the endpoint the change is meant for; if it has another by now, nothing is changed and the answer is
	// failed_precondition. 0 changes whatever is there.
	Revision uint64 `json:"revision,omitempty"`
	// Overlap is how long keys go on signing that the change takes away, a duration up to 720h; 24h when it is empty.
	Overlap string `json:"overlap,omitempty"`
	// RecipientKey is as in [EndpointCreateRequest].
	RecipientKey string `json:"recipient_key,omitempty"`
	// DryRun checks everything, tells the changes and makes none.
	DryRun bool `json:"dry_run,omitempty"`
}

// Validate checks what can be checked without the endpoint.
func (r EndpointUpdateRequest) Validate() error {
	return firstError(CheckEndpointID(r.ID), checkDuration("overlap", r.Overlap, 0, MaxKeyOverlap))
}

// EndpointDeleteRequest is the body of webhooks.endpoints.delete.
type EndpointDeleteRequest struct {
	// ID is the endpoint's id.
	ID string `json:"id" jsonschema:"minLength=1,maxLength=64"`
	// Revision is as in [EndpointUpdateRequest].
	Revision uint64 `json:"revision,omitempty"`
}

// Validate checks the id.
func (r EndpointDeleteRequest) Validate() error { return CheckEndpointID(r.ID) }

// EndpointRotateRequest is the body of webhooks.endpoints.rotate: a new key signs from now on, beside the old ones of its
// method until those end.
type EndpointRotateRequest struct {
	// ID is the endpoint's id.
	ID string `json:"id" jsonschema:"minLength=1,maxLength=64"`
	// Signing is the new key.
	Signing EndpointSigning `json:"signing,omitzero"`
	// Overlap is how long the old keys go on signing, a duration of 0s to 720h; 24h when it is empty.
	Overlap string `json:"overlap,omitempty"`
	// RecipientKey is as in [EndpointCreateRequest].
	RecipientKey string `json:"recipient_key,omitempty"`
}

// Validate checks what can be checked without the endpoint.
func (r EndpointRotateRequest) Validate() error {
	return firstError(CheckEndpointID(r.ID), oneOf("signing.method", r.Signing.Method, "", SignHMAC, SignEd25519), checkDuration("overlap", r.Overlap, 0, MaxKeyOverlap))
}

// Endpoint is a webhook endpoint as it is shown: without secrets, and with what became of it.
type Endpoint struct {
	EndpointSpec
	// Source says where the endpoint is configured: "environment", or "bus".
	Source string `json:"source"`
	// Revision changes with every change of the endpoint; 0 for one that the bus cannot change.
	Revision uint64 `json:"revision,omitempty"`
	// CreatedAt and UpdatedAt are when it was made and last changed.
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	// Keys are those that sign now, the newest first.
	Keys []EndpointKey `json:"keys,omitempty"`
	// Status is how it does.
	Status EndpointStatus `json:"status,omitzero"`
}

// EndpointKey is a signing key as it is shown.
type EndpointKey struct {
	// ID tells keys of an endpoint apart.
	ID string `json:"id"`
	// Method is v1 or v1a.
	Method string `json:"method"`
	// Reference is where the key is, unless it was generated.
	Reference string `json:"reference,omitempty"`
	// PublicKey is that of a generated v1a key: "whpk_" and base64.
	PublicKey string `json:"public_key,omitempty"`
	// CreatedAt is when it began to sign; ExpiresAt when it ends, if another replaced it.
	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// States of an endpoint.
const (
	// EndpointActive takes webhooks.
	EndpointActive = "active"
	// EndpointFailing fails; attempts to it are held back and one at a time probes it.
	EndpointFailing = "failing"
	// EndpointDisabledState gets nothing: by its operator, or because it failed for five days or answered 410.
	EndpointDisabledState = "disabled"
)

// EndpointStatus is how an endpoint does, as all replicas know it.
type EndpointStatus struct {
	// State is active, failing or disabled.
	State string `json:"state,omitempty" jsonschema:"enum=active,enum=failing,enum=disabled"`
	// Reason says why it is not active, for a person.
	Reason string `json:"reason,omitempty"`
	// Since is when the state began; FailingSince when the endpoint began to fail without a success.
	Since        time.Time `json:"since,omitzero"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	// NotBefore is when the next attempt may be made, when that is held back.
	NotBefore time.Time `json:"not_before,omitzero"`
}

// EndpointChanged is the reply of webhooks.endpoints.create, update and rotate.
type EndpointChanged struct {
	// Endpoint is what it is now, or would be.
	Endpoint Endpoint `json:"endpoint"`
	// Changes names the fields that differ from before.
	Changes []string `json:"changes,omitempty"`
	// Secrets are the generated keys, sealed to the request's RecipientKey. They are told this once.
	Secrets []EndpointSecret `json:"secrets,omitempty"`
}

// EndpointSecret is one generated key, sealed.
type EndpointSecret struct {
	// KeyID is that of the [EndpointKey].
	KeyID string `json:"key_id"`
	// SenderKey and Sealed are as in [SecretResponse]; opened, it is "whsec_" and base64.
	SenderKey string `json:"sender_key"`
	Sealed    []byte `json:"sealed"`
}

// EndpointDeleted is the reply of webhooks.endpoints.delete.
type EndpointDeleted struct {
	ID string `json:"id"`
}
