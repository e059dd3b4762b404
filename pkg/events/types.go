package events

import (
	"reflect"
	"slices"
	"strings"
)

// Event types of the catalogue. Any other valid type is legal too; "custom.<anything>" is reserved for users.
const (
	TypeMoralFilterReject       = "moral_filter.reject"
	TypeMoralFilterAccept       = "moral_filter.accept"
	TypeSystemEmergencyShutdown = "system.emergency_shutdown"
	TypeSystemRecoveryTriggered = "system.recovery_triggered"
	TypeMemoryThresholdExceeded = "memory.threshold_exceeded"
	TypeRequestProcessed        = "request.processed"
	TypeCIRunFailed             = "ci.run_failed"
	TypeCIRunSucceeded          = "ci.run_succeeded"
	TypeCIDegraded              = "ci.degraded"
	TypeCIRecovered             = "ci.recovered"
	TypeCIFlaky                 = "ci.flaky"
	TypeCIStale                 = "ci.stale"
	TypeCIRecoveryFailed        = "ci.recovery_failed"
	TypeSecretRotated           = "secret.rotated"
	TypeSecretUnavailable       = "secret.unavailable"
	TypeDeliveryFailed          = "delivery.failed"
	TypeEndpointDisabled        = "endpoint.disabled"
	TypeEndpointRecovered       = "endpoint.recovered"
	TypeEmbeddingSpaceChanged   = "embedding.space_changed"
)

// CustomPrefix starts the types that belong to users.
const CustomPrefix = "custom."

// SchemaVersion is the version of the payload schemas. Within it, only optional fields are added.
const SchemaVersion = "v1"

// EventType is one entry of the catalogue.
type EventType struct {
	// Name is the type, for example "ci.degraded".
	Name string
	// Payload is a zero value of the type's payload struct.
	Payload Payload
	// Publisher says who publishes it: names of services, "any service", "the engine", "anyone", separated by commas.
	// [EventType.PublishedBy] and [EventType.ByAnyone] read it.
	Publisher string
	// When says when, in half a sentence.
	When string
	// NoEcho marks types that an endpoint gets only when it asks for them by name: wildcards do not match them.
	NoEcho bool
}

// Words of [EventType.Publisher] beside the names of services.
const (
	publisherAnyService = "any service"
	publisherAnyone     = "anyone"
)

// PublishedBy reports whether a service publishes events of the type. On a closed bus no other service can.
func (t EventType) PublishedBy(service string) bool {
	words := strings.Split(t.Publisher, ", ")
	return slices.Contains(words, service) || slices.Contains(words, publisherAnyService)
}

// ByAnyone reports whether applications too may publish events of the type.
func (t EventType) ByAnyone() bool {
	return slices.Contains(strings.Split(t.Publisher, ", "), publisherAnyone)
}

// Types returns the catalogue of event types, in the order of their documentation.
func Types() []EventType {
	names := [...]string{
		TypeMoralFilterReject, TypeMoralFilterAccept, TypeSystemEmergencyShutdown, TypeSystemRecoveryTriggered,
		TypeMemoryThresholdExceeded, TypeRequestProcessed, TypeCIRunFailed, TypeCIRunSucceeded,
		TypeCIDegraded, TypeCIRecovered, TypeCIFlaky, TypeCIStale, TypeCIRecoveryFailed, TypeSecretRotated,
		TypeSecretUnavailable, TypeDeliveryFailed, TypeEndpointDisabled, TypeEndpointRecovered, TypeEmbeddingSpaceChanged,
	}
	types := make([]EventType, 0, len(names))
	for _, name := range names {
		if t, ok := FindType(name); ok {
			types = append(types, t)
		}
	}
	return types
}

// FindType returns the catalogue's entry for a type. It is cheap enough to be asked for every event.
func FindType(name string) (EventType, bool) {
	switch name {
	case TypeMoralFilterReject:
		return EventType{name, MoralFilterReject{}, "generator, the engine, anyone", "the filter refused a content", false}, true
	case TypeMoralFilterAccept:
		return EventType{name, MoralFilterAccept{}, "generator, the engine, anyone", "the filter let a content pass", false}, true
	case TypeSystemEmergencyShutdown:
		return EventType{name, SystemEmergencyShutdown{}, "any service, the engine, anyone", "it is going down because it must", false}, true
	case TypeSystemRecoveryTriggered:
		return EventType{name, SystemRecoveryTriggered{}, "ciwatch, anyone", "recovery started, and what was done", false}, true
	case TypeMemoryThresholdExceeded:
		return EventType{name, MemoryThresholdExceeded{}, "any service, the engine, anyone", "its memory passed a threshold", false}, true
	case TypeRequestProcessed:
		return EventType{name, RequestProcessed{}, "embedder, generator", "a request ended", false}, true
	case TypeCIRunFailed:
		return EventType{name, CIRunFailed{}, "ciwatch", "a run ended without success", false}, true
	case TypeCIRunSucceeded:
		return EventType{name, CIRunSucceeded{}, "ciwatch", "a run ended with success", false}, true
	case TypeCIDegraded:
		return EventType{name, CIDegraded{}, "ciwatch", "failed runs in a row reached the threshold", false}, true
	case TypeCIRecovered:
		return EventType{name, CIRecovered{}, "ciwatch", "a run succeeded after health had been degraded", false}, true
	case TypeCIFlaky:
		return EventType{name, CIFlaky{}, "ciwatch", "the same commit failed and then passed", false}, true
	case TypeCIStale:
		return EventType{name, CIStale{}, "ciwatch", "a workflow has had no run for too long", false}, true
	case TypeCIRecoveryFailed:
		return EventType{name, CIRecoveryFailed{}, "ciwatch", "a recovery did not make it green", false}, true
	case TypeSecretRotated:
		return EventType{name, SecretRotated{}, "secretd", "a new version of a secret was seen", false}, true
	case TypeSecretUnavailable:
		return EventType{name, SecretUnavailable{}, "secretd", "a store cannot be reached and the value is past its time", false}, true
	case TypeDeliveryFailed:
		return EventType{name, DeliveryFailed{}, "dispatcher", "a delivery was given up", true}, true
	case TypeEndpointDisabled:
		return EventType{name, EndpointDisabled{}, "dispatcher", "an endpoint was disabled", true}, true
	case TypeEndpointRecovered:
		return EventType{name, EndpointRecovered{}, "dispatcher", "an endpoint works again", true}, true
	case TypeEmbeddingSpaceChanged:
		return EventType{name, EmbeddingSpaceChanged{}, "embedder", "a model answers with vectors of another length than before", false}, true
	default:
		return EventType{}, false
	}
}

// SchemaURI returns the dataschema of a type of the catalogue, which is also the $id of its JSON Schema; it is empty for
// other types.
func SchemaURI(eventType string) string {
	if _, ok := FindType(eventType); !ok {
		return ""
	}
	return "urn:mlsdm:schema:" + SchemaVersion + ":" + eventType
}

// CheckPayload checks data against the payload of a type of the catalogue. A type that is not of the catalogue fits any
// data. The error is of code invalid_argument.
func CheckPayload(eventType string, data []byte) error {
	entry, ok := FindType(eventType)
	if !ok {
		return nil
	}
	payload := reflect.New(reflect.TypeOf(entry.Payload))
	if err := DecodeJSON(data, payload.Interface()); err != nil {
		return err
	}
	validator, ok := reflect.TypeAssert[Payload](payload.Elem())
	if !ok {
		return Errorf(CodeInternal, "%s has no payload", eventType)
	}
	return validator.Validate()
}
