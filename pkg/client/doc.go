// Package client asks the MLSDM services over NATS: embeddings, generation (streamed too), durable requests, events to
// publish, to follow and to handle durably, webhook endpoints, and secrets that are sealed to the asker.
//
// It needs nothing but a NATS URL, and says nothing that any other NATS client could not say: the wire contract is
// package events and docs/protocol.md.
//
// Errors are *[events.Error]: act on their code, for example with [events.CodeOf]. What a request cannot succeed with is
// refused before it is sent. A deadline of the context is sent along, so that no service works for a caller who has gone;
// without one, [Timeout] applies.
package client
