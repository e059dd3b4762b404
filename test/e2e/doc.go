// Package e2e tests the system as its users meet it: real processes that are killed, plain NATS clients, webhook receivers,
// hostile messages, and people at a terminal.
package e2e
