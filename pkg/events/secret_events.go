package events

import "time"

// SecretRotated says that a new version of a secret was seen. It never holds a value.
type SecretRotated struct {
	// Name is the secret's logical name, or the reference by which it is asked for.
	Name string `json:"name" jsonschema:"minLength=1"`
	// Store names where it is kept: vault, aws, azure, env or file.
	Store string `json:"store" jsonschema:"minLength=1"`
	// Version and PreviousVersion are the store's versions, where it has them.
	Version         string `json:"version,omitempty"`
	PreviousVersion string `json:"previous_version,omitempty"`
}

// EventType returns "secret.rotated".
func (SecretRotated) EventType() string { return TypeSecretRotated }

// Validate implements [Payload].
func (p SecretRotated) Validate() error {
	return firstError(required("name", p.Name), required("store", p.Store))
}

// SecretUnavailable says that a store cannot be reached and that the value which is still known is past its time.
type SecretUnavailable struct {
	// Name is the secret's logical name, or the reference by which it is asked for.
	Name string `json:"name" jsonschema:"minLength=1"`
	// Store names where it is kept.
	Store string `json:"store" jsonschema:"minLength=1"`
	// Since is when the store was last reached.
	Since time.Time `json:"since,omitzero"`
	// Code says how the store fails.
	Code Code `json:"code,omitempty"`
}

// EventType returns "secret.unavailable".
func (SecretUnavailable) EventType() string { return TypeSecretUnavailable }

// Validate implements [Payload].
func (p SecretUnavailable) Validate() error {
	return firstError(required("name", p.Name), required("store", p.Store))
}
