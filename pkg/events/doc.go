// Package events is the wire contract: event types and their payloads, subjects, streams, KV buckets, headers, error
// codes and the bodies of requests, each written once.
//
// Everything else that describes the contract is generated from this package: the JSON Schemas, the AsyncAPI document and
// the tables of docs/protocol.md. It uses the standard library only and knows nothing of a NATS client, so that a program
// may import it for its types alone.
//
// Events are CloudEvents 1.0, requests and replies are OpenAI's, errors carry one of [Codes]. Within v1 only optional
// fields are added; readers ignore fields and event types that they do not know.
package events
