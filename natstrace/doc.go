// Package natstrace makes OpenTelemetry spans of what a NATS server says about the messages that pass through it, so that a trace
// shows what the broker did between a publisher and those who read.
//
// A nats-server of 2.11 or newer publishes a message of its own for every message whose trace context is sampled, if the account is
// configured with msg_trace: when the message came in, into which stream it went and when, to whom it was sent on. A [Bridge] is
// given these, one by one, and starts spans under the span that the traced message names in its header "traceparent":
//
//	store ORDERS              the message went into a stream, and nowhere else
//
//	route orders.{id}         anything else: from when it came in to the last of what is below
//	├── store ORDERS
//	├── deliver orders.{id}   sent to a client that subscribes
//	└── forward orders.{id}   sent to another server: route, gateway or leaf node
//	    └── route orders.{id} what that server says
//
// The package needs nothing but the standard library and the API of OpenTelemetry, and knows no NATS client: whoever has a
// subscription has what it takes. How the server is configured, and what the spans do not tell, is in README.md.
package natstrace
