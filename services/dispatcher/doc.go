// Package dispatcher signs events and delivers them as webhooks until the receiver has them.
//
//	MLSDM_EVENTS ─► router ─► deliveries.ready.<endpoint> ─► workers ─► gate ─► POST
//	                          deliveries.again.<endpoint> ─►                     │ failed, or may not go now
//	                                  ▲                                          │
//	                                  └─ JetStream scheduler ◄───────────────────┤ deliveries.later.<delivery>
//	                                                                             └ given up ─► deadletters.deliveries.<fault>.<endpoint>
//
// Endpoints are in a KV bucket (package registry), which every replica follows; what they are made of is in package target.
// How each does, and what replicas share of its limits, is in another (package gate). What became of deliveries is told by
// package history, from records that package attemptlog writes.
//
// What it promises:
//
//   - An event that JetStream has acknowledged reaches every endpoint that wants it at least once, or ends in dead
//     letters with the reason. At any instant a delivery is in one place on disk; the process holds nothing of its own.
//   - Every attempt, and every repetition after a crash, carries the same webhook-id.
//   - A delivery that waits holds no worker and no memory: JetStream's scheduler has it. Late ones have workers of their own.
//   - However many endpoints hang, there are workers for the others; an endpoint's limits hold over all replicas.
//   - Deliveries may arrive in any order, but those to a strictly ordered endpoint, which reads the events itself, one at a
//     time (ordered.go).
package dispatcher
