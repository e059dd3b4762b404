package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
)

// recordVersion is the version of the records that this package writes. A field that an older dispatcher would ignore to
// somebody's harm needs a new one.
const recordVersion = 1

// record is an endpoint as it is stored, under its id.
type record struct {
	Version int `json:"version"`
	// Spec is what its operator wrote.
	Spec events.EndpointSpec `json:"spec"`
	// Keys sign: those of Spec.Signing in their order, then those that end, the last to end first.
	Keys      []keyring.Record `json:"keys"`
	CreatedAt time.Time        `json:"created_at"`
	UpdatedAt time.Time        `json:"updated_at"`
}

// errNewer is the cause of a record that a newer version wrote.
var errNewer = errors.New("a newer record")

// encode writes a record.
func (rec record) encode() ([]byte, error) {
	rec.Version = recordVersion
	value, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("writing the record of endpoint %s: %w", rec.Spec.ID, err)
	}
	if len(value) > events.MaxBody {
		return nil, events.Errorf(events.CodeInvalidArgument, "the endpoint has %d bytes in all; at most %d are allowed", len(value), events.MaxBody)
	}
	return value, nil
}

// decode reads the record of an endpoint. The error, of code failed_precondition, says why it cannot be used; then the record
// holds what could be read of it, and its endpoint's id for certain.
func decode(id string, value []byte) (record, error) {
	var rec record
	err := Decode(value, &rec)
	if err != nil {
		rec, err = decodeNewer(value, messageOf(err))
	} else {
		err = rec.check(id)
	}
	if err != nil {
		rec.Spec.ID = id
		return rec, events.Errorf(events.CodeFailedPrecondition, "the record of endpoint %s in the bucket cannot be used: %w", id, err)
	}
	return rec, nil
}

// decodeNewer reads what it can of a record that could not be read, if a newer version wrote it: its fields are then those
// that we know, or more, and what we know is enough to see which events it wants. Otherwise the error stays what it was.
func decodeNewer(value []byte, cause error) (record, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := events.DecodeJSON(value, &head); err != nil || head.Version <= recordVersion {
		return record{}, cause
	}
	var rec record
	if err := events.DecodeJSON(value, &rec); err != nil {
		rec = record{}
	}
	rec.Keys = nil
	return rec, newer(head.Version)
}

// newer is the error about a record of a version above ours.
func newer(version int) error {
	return fmt.Errorf("%w: it is of version %d and this dispatcher knows %d; run the newer one", errNewer, version, recordVersion)
}

// check checks what stands around the specification.
func (rec record) check(id string) error {
	switch {
	case rec.Version > recordVersion:
		return newer(rec.Version)
	case rec.Version != recordVersion:
		return fmt.Errorf("it is of version %d; there is only %d", rec.Version, recordVersion)
	case rec.Spec.ID != id:
		return errors.New("it is about another endpoint")
	case len(rec.Keys) > maxKeys:
		return fmt.Errorf("it has %d keys; at most %d are allowed", len(rec.Keys), maxKeys)
	default:
		return nil
	}
}

// messageOf is an error that stands within another: without its code.
func messageOf(err error) error { return errors.New(events.AsError(err).Message) }
