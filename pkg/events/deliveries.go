package events

import (
	"encoding/json"
	"time"
)

// Whose fault a dead letter is.
const (
	// FaultReceiver: the receiver refused the webhook, or could not be reached.
	FaultReceiver = "receiver"
	// FaultEndpoint: the endpoint is disabled, gone, or set so that nothing can be sent.
	FaultEndpoint = "endpoint"
	// FaultInternal: the delivery could not be read or rendered; ours to mend.
	FaultInternal = "internal"
)

// Classes of errors of an attempt.
const (
	ErrorClassDNS         = "dns"
	ErrorClassConnect     = "connect"
	ErrorClassTLS         = "tls"
	ErrorClassTimeout     = "timeout"
	ErrorClassReset       = "reset"
	ErrorClassProtocol    = "protocol"
	ErrorClassRedirect    = "redirect"
	ErrorClassStatus      = "status"
	ErrorClassBlocked     = "blocked"
	ErrorClassEndpoint    = "endpoint"
	ErrorClassInterrupted = "interrupted"
)

// DeliveryFilter chooses deliveries. Fields that are left out choose all.
type DeliveryFilter struct {
	// EndpointID is the endpoint.
	EndpointID string `json:"endpoint_id,omitempty" jsonschema:"maxLength=64"`
	// EventType is a pattern over event types.
	EventType string `json:"event_type,omitempty" jsonschema:"maxLength=128"`
	// Status is delivered, retry or dead.
	Status string `json:"status,omitempty" jsonschema:"enum=delivered,enum=retry,enum=dead"`
	// Fault is receiver, endpoint or internal, of dead ones.
	Fault string `json:"fault,omitempty" jsonschema:"enum=receiver,enum=endpoint,enum=internal"`
	// Since and Until bound the time of the record: from Since on, before Until.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Validate checks the closed sets.
func (f DeliveryFilter) Validate() error {
	if f.EndpointID != "" {
		if err := CheckEndpointID(f.EndpointID); err != nil {
			return err
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return Errorf(CodeInvalidArgument, "since must be before until")
	}
	return firstError(oneOf("status", f.Status, "", AttemptDelivered, AttemptRetry, AttemptDead), oneOf("fault", f.Fault, "", FaultReceiver, FaultEndpoint, FaultInternal))
}

// DeliveriesListRequest is the body of webhooks.deliveries.list.
type DeliveriesListRequest struct {
	DeliveryFilter
	// Limit is how many deliveries are wanted, 1 to 1000; 100 when it is 0.
	Limit int `json:"limit,omitempty" jsonschema:"minimum=0,maximum=1000"`
	// Cursor is where to go on: that of the reply before.
	Cursor string `json:"cursor,omitempty" jsonschema:"maxLength=256"`
}

// Validate checks the bounds.
func (r DeliveriesListRequest) Validate() error {
	return firstError(r.DeliveryFilter.Validate(), inRange("limit", float64(r.Limit), 0, 1000))
}

// DeliveriesList is the reply of webhooks.deliveries.list.
type DeliveriesList struct {
	// Deliveries are as their attempts were recorded, the oldest first, one entry an attempt.
	Deliveries []Delivery `json:"deliveries"`
	// Cursor is where to go on; empty when all was looked at. It may be there although Deliveries is empty.
	Cursor string `json:"cursor,omitempty"`
}

// Delivery is one event on its way to one endpoint, at its last known attempt.
type Delivery struct {
	// ID names the delivery.
	ID string `json:"id"`
	// EndpointID is the endpoint.
	EndpointID string `json:"endpoint_id"`
	// EventID and EventType are those of the event.
	EventID   string `json:"event_id,omitempty"`
	EventType string `json:"event_type,omitempty"`
	// Status is delivered, retry or dead.
	Status string `json:"status" jsonschema:"enum=delivered,enum=retry,enum=dead"`
	// Attempt is which attempt this was; 0 when none was made.
	Attempt int `json:"attempt" jsonschema:"minimum=0"`
	// At is when it was made, or given up.
	At time.Time `json:"at,omitzero"`
	// HTTPStatus is the receiver's answer; 0 when there was none.
	HTTPStatus int `json:"http_status,omitempty"`
	// Error says what went wrong, for a person; ErrorClass for a machine.
	Error      string `json:"error,omitempty"`
	ErrorClass string `json:"error_class,omitempty"`
	// NextAt is when the next attempt is due.
	NextAt time.Time `json:"next_at,omitzero"`
	// Fault and DeadLetter are those of a dead letter: whose fault, and its sequence in the dead letters stream.
	Fault      string `json:"fault,omitempty"`
	DeadLetter uint64 `json:"dead_letter,omitempty"`
}

// DeliveryRequest is the body of webhooks.deliveries.get.
type DeliveryRequest struct {
	// ID names the delivery.
	ID string `json:"id" jsonschema:"minLength=1,maxLength=128"`
	// EndpointID is the endpoint, which makes the search shorter.
	EndpointID string `json:"endpoint_id,omitempty" jsonschema:"maxLength=64"`
}

// Validate checks the ids.
func (r DeliveryRequest) Validate() error {
	if r.EndpointID != "" {
		if err := CheckEndpointID(r.EndpointID); err != nil {
			return err
		}
	}
	return CheckToken("id", r.ID)
}

// DeliveryDetail is the reply of webhooks.deliveries.get.
type DeliveryDetail struct {
	Delivery Delivery `json:"delivery"`
	// Attempts are all that are on record, the oldest first.
	Attempts []DeliveryAttempt `json:"attempts"`
	// Event is the event, when a dead letter holds it.
	Event json.RawMessage `json:"event,omitempty"`
}

// Where replayed deliveries come from.
const (
	// ReplayDeadLetters puts back what was given up.
	ReplayDeadLetters = "dead_letters"
	// ReplayEvents delivers events again, or for the first time, whether they matched the endpoint or not.
	ReplayEvents = "events"
)

// ReplayRequest is the body of webhooks.deliveries.replay. One request replays one page; ask again with the reply's cursor
// until it is done. A page that is asked for twice with the same ReplayID within two minutes is replayed once.
type ReplayRequest struct {
	DeliveryFilter
	// From is dead_letters or events; dead_letters when it is empty.
	From string `json:"from,omitempty" jsonschema:"enum=dead_letters,enum=events"`
	// To is the endpoint that gets them; that of each dead letter when it is empty. From events it is required.
	To string `json:"to,omitempty" jsonschema:"maxLength=64"`
	// DeliveryID chooses one dead letter's delivery, EventID one event.
	DeliveryID string `json:"delivery_id,omitempty" jsonschema:"maxLength=128"`
	EventID    string `json:"event_id,omitempty" jsonschema:"maxLength=128"`
	// ReplayID names the whole replay, a subject token that the caller makes up; required unless DryRun.
	ReplayID string `json:"replay_id,omitempty" jsonschema:"maxLength=128"`
	// DryRun counts and publishes nothing.
	DryRun bool `json:"dry_run,omitempty"`
	// Limit is how many deliveries a page replays at most, 1 to 1000; 500 when it is 0.
	Limit int `json:"limit,omitempty" jsonschema:"minimum=0,maximum=1000"`
	// Cursor is where to go on: that of the reply before.
	Cursor string `json:"cursor,omitempty" jsonschema:"maxLength=256"`
}

// Validate checks what belongs together.
func (r ReplayRequest) Validate() error {
	if err := firstError(r.DeliveryFilter.Validate(), oneOf("from", r.From, "", ReplayDeadLetters, ReplayEvents), inRange("limit", float64(r.Limit), 0, 1000)); err != nil {
		return err
	}
	if r.To != "" {
		if err := CheckEndpointID(r.To); err != nil {
			return err
		}
	}
	if r.From == ReplayEvents {
		if r.To == "" {
			return Errorf(CodeInvalidArgument, "to is missing: say which endpoint gets the events")
		}
		if r.EndpointID != "" || r.Status != "" || r.Fault != "" || r.DeliveryID != "" {
			return Errorf(CodeInvalidArgument, "endpoint_id, status, fault and delivery_id choose dead letters; events are chosen by event_type, event_id, since and until")
		}
	}
	if r.Status != "" && r.Status != AttemptDead {
		return Errorf(CodeInvalidArgument, "status is %q; what was delivered is replayed from %s", r.Status, ReplayEvents)
	}
	if r.DryRun {
		return nil
	}
	return CheckToken("replay_id", r.ReplayID)
}

// ReplayReply is the reply of webhooks.deliveries.replay.
type ReplayReply struct {
	// Matched is how many this page chose, Replayed how many of these are on their way now (0 of a dry run), Skipped those
	// that cannot be: their endpoint is gone, or they cannot be read.
	Matched  int `json:"matched"`
	Replayed int `json:"replayed"`
	Skipped  int `json:"skipped,omitempty"`
	// Scanned is how many messages were looked at.
	Scanned int `json:"scanned"`
	// Cursor is where to go on; empty when Done.
	Cursor string `json:"cursor,omitempty"`
	// Done says that all was looked at.
	Done bool `json:"done"`
}
