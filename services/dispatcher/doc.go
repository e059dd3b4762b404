// Package dispatcher signs events and delivers them as webhooks until the receiver has them.
//
//	MLSDM_EVENTS ─► router ─► deliveries.ready.<endpoint> ─► workers ─► POST
//	                                  ▲                         │ failed, may pass
//	                                  └─ JetStream scheduler ◄──┤ deliveries.later.<delivery>
//	                                                            └ given up ─► deadletters.deliveries.<endpoint>
//
// What it promises:
//
//   - An event that JetStream has acknowledged reaches every endpoint that wants it at least once, or ends in dead
//     letters with the reason. At any instant a delivery is in one place on disk; the process holds nothing of its own.
//   - Every attempt, and every repetition after a crash, carries the same webhook-id.
//   - A delivery that waits for its next attempt holds no worker and no memory: JetStream's scheduler has it.
//   - Deliveries may arrive in any order.
package dispatcher
