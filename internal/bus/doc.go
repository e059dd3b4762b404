// Package bus is the only door to NATS: it connects, publishes, consumes, serves requests and asks them, and nobody else
// in the services knows of acks, headers or reconnects.
//
// What it promises:
//
//   - A publish returns nil only after JetStream has stored the message.
//   - A message is acked only after its handler returned nil; what the handler published before that is stored.
//   - A handler sees a message at least once. It runs again after an error, a crash, or a lost ack, so whatever it
//     publishes must carry a deterministic id.
//   - A message that is given up is written to dead letters, whole and with the reason, before the stream forgets it.
//   - At most as many messages are held as there are workers (and the prefetch that was asked for); when a consumer or
//     a service stops, all that it held is finished or given back at once, so that no message waits for a timeout.
//   - An interactive request is always answered: with the handler's reply, its error, or that the service is overloaded.
//   - Messages of one consumer may be handled in any order.
package bus
