// Package webhooks tests the delivery of webhooks under faults: real dispatchers and a real NATS server that are killed, and
// receivers that hang, refuse, flap and break off.
package webhooks
