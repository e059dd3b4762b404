package main

import "time"

// CloudEvent is an event in its structured form (CloudEvents 1.0, JSON format).
type CloudEvent struct {
	// SpecVersion is always 1.0.
	SpecVersion string `json:"specversion" jsonschema:"enum=1.0"`
	// ID is unique within Source, and the message's Nats-Msg-Id. Without one it is taken from there, or made from where
	// the event is stored.
	ID string `json:"id,omitempty" jsonschema:"minLength=1,maxLength=128"`
	// Source names who publishes, as a URI reference; /mlsdm/bus without one.
	Source string `json:"source,omitempty" jsonschema:"minLength=1,maxLength=1024,format=uri-reference"`
	// Type says what happened; it is the rest of the subject behind events, and taken from there without one.
	Type string `json:"type,omitempty" jsonschema:"minLength=1,maxLength=128,pattern=^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$"`
	// Subject says what it is about.
	Subject string `json:"subject,omitempty" jsonschema:"maxLength=1024"`
	// Time is when it happened; when the event was stored, without one.
	Time time.Time `json:"time,omitzero"`
	// DataContentType is the media type of the data; application/json without one.
	DataContentType string `json:"datacontenttype,omitempty" jsonschema:"maxLength=1024"`
	// DataSchema is the URI of the schema that the data follows.
	DataSchema string `json:"dataschema,omitempty" jsonschema:"maxLength=1024,format=uri"`
	// TraceParent is W3C Trace Context (CloudEvents' distributed-tracing extension).
	TraceParent string `json:"traceparent,omitempty" jsonschema:"maxLength=1024"`
	// TraceState is W3C Trace Context.
	TraceState string `json:"tracestate,omitempty" jsonschema:"maxLength=1024"`
	// Data is the payload: any JSON value, or a string when the media type is of text.
	Data any `json:"data,omitempty"`
	// DataBase64 is the payload when it is neither; it excludes data.
	DataBase64 []byte `json:"data_base64,omitempty"`
}
