package events

import "time"

// DeliveryFailed says that a delivery was given up; the dead letter holds it whole.
type DeliveryFailed struct {
	// DeliveryID names the delivery: one event for one endpoint.
	DeliveryID string `json:"delivery_id" jsonschema:"minLength=1"`
	// EndpointID is the endpoint that did not take it.
	EndpointID string `json:"endpoint_id" jsonschema:"minLength=1"`
	// FailedEventID and FailedEventType are those of the event that was to be delivered.
	FailedEventID   string `json:"failed_event_id" jsonschema:"minLength=1"`
	FailedEventType string `json:"failed_event_type" jsonschema:"minLength=1"`
	// Attempts is how often it was tried; at least 1.
	Attempts int `json:"attempts" jsonschema:"minimum=1"`
	// FirstAttemptAt is when it was first tried.
	FirstAttemptAt time.Time `json:"first_attempt_at,omitzero"`
	// LastStatus is the HTTP status of the last attempt; 0 when there was no answer.
	LastStatus int `json:"last_status,omitempty" jsonschema:"minimum=0,maximum=999"`
	// Reason says why it was given up, for a person; Fault whose it is: receiver, endpoint or internal.
	Reason string `json:"reason" jsonschema:"minLength=1"`
	Fault  string `json:"fault,omitempty" jsonschema:"enum=receiver,enum=endpoint,enum=internal"`
}

// EventType returns "delivery.failed".
func (DeliveryFailed) EventType() string { return TypeDeliveryFailed }

// Validate implements [Payload].
func (p DeliveryFailed) Validate() error {
	return firstError(required("delivery_id", p.DeliveryID), required("endpoint_id", p.EndpointID),
		required("failed_event_id", p.FailedEventID), required("failed_event_type", p.FailedEventType),
		required("reason", p.Reason), atLeast("attempts", int64(p.Attempts), 1), inRange("last_status", float64(p.LastStatus), 0, 999),
		oneOf("fault", p.Fault, "", FaultReceiver, FaultEndpoint, FaultInternal))
}

// EndpointDisabled says that an endpoint gets no deliveries any more.
type EndpointDisabled struct {
	// EndpointID is the endpoint.
	EndpointID string `json:"endpoint_id" jsonschema:"minLength=1"`
	// Reason says why, for a person.
	Reason string `json:"reason" jsonschema:"minLength=1"`
	// LastStatus is the HTTP status of its last answer; 0 when there was none.
	LastStatus int `json:"last_status,omitempty" jsonschema:"minimum=0,maximum=999"`
}

// EventType returns "endpoint.disabled".
func (EndpointDisabled) EventType() string { return TypeEndpointDisabled }

// Validate implements [Payload].
func (p EndpointDisabled) Validate() error {
	return firstError(required("endpoint_id", p.EndpointID), required("reason", p.Reason), inRange("last_status", float64(p.LastStatus), 0, 999))
}

// EndpointRecovered says that an endpoint takes deliveries again.
type EndpointRecovered struct {
	// EndpointID is the endpoint.
	EndpointID string `json:"endpoint_id" jsonschema:"minLength=1"`
	// DownSince is when it began to fail.
	DownSince time.Time `json:"down_since,omitzero"`
}

// EventType returns "endpoint.recovered".
func (EndpointRecovered) EventType() string { return TypeEndpointRecovered }

// Validate implements [Payload].
func (p EndpointRecovered) Validate() error { return required("endpoint_id", p.EndpointID) }

// DeliveryAttempt is one entry of the attempts stream: what one try to deliver a webhook came to.
type DeliveryAttempt struct {
	// DeliveryID names the delivery: one event for one endpoint.
	DeliveryID string `json:"delivery_id" jsonschema:"minLength=1"`
	// EndpointID is the endpoint.
	EndpointID string `json:"endpoint_id" jsonschema:"minLength=1"`
	// EventID and EventType are those of the event.
	EventID   string `json:"event_id"`
	EventType string `json:"event_type"`
	// Attempt counts from 1.
	Attempt int `json:"attempt" jsonschema:"minimum=1"`
	// At is when the attempt began.
	At time.Time `json:"at"`
	// LatencyMS is how long the answer took, in milliseconds.
	LatencyMS float64 `json:"latency_ms" jsonschema:"minimum=0"`
	// Status is the HTTP status; 0 when there was no answer.
	Status int `json:"status,omitempty"`
	// Outcome is delivered, retry or dead.
	Outcome string `json:"outcome" jsonschema:"enum=delivered,enum=retry,enum=dead"`
	// Error says what went wrong, for a person; ErrorClass for a machine: dns, connect, tls, timeout, reset, protocol,
	// redirect, status, blocked, endpoint, interrupted.
	Error      string `json:"error,omitempty"`
	ErrorClass string `json:"error_class,omitempty"`
	// Fault is whose fault it is that the delivery was given up: receiver, endpoint or internal.
	Fault string `json:"fault,omitempty"`
	// Request is the headers that were sent, without secrets and signatures.
	Request map[string]string `json:"request,omitempty"`
	// Timing splits the latency.
	Timing *AttemptTiming `json:"timing,omitempty"`
	// Response is the start of the answer's body, at most 4 KiB.
	Response string `json:"response,omitempty"`
	// NextAt is when the next attempt is due, when there is one.
	NextAt time.Time `json:"next_at,omitzero"`
	// ReplayID is that of the replay that made the delivery again.
	ReplayID string `json:"replay_id,omitempty"`
}

// AttemptTiming is where the time of an attempt went, in milliseconds. A connection that was kept open needs no DNS, connect
// and TLS.
type AttemptTiming struct {
	DNSMS     float64 `json:"dns_ms,omitempty"`
	ConnectMS float64 `json:"connect_ms,omitempty"`
	TLSMS     float64 `json:"tls_ms,omitempty"`
	// FirstByteMS is from the request's being written to the first byte of the answer.
	FirstByteMS float64 `json:"first_byte_ms,omitempty"`
}

// Outcomes of a [DeliveryAttempt].
const (
	AttemptDelivered = "delivered"
	AttemptRetry     = "retry"
	AttemptDead      = "dead"
)
