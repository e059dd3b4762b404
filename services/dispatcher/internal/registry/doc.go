// Package registry keeps the webhook endpoints: in a KV bucket, so that all replicas have the same ones, and compiled in the
// memory of each, so that no delivery waits for the bucket.
//
//	create, update, rotate, delete ─► KV bucket ─► watch of every replica ─► compiled endpoints ─► target.Set
//	                                                                 ▲
//	                                           secrets, asked again ─┘ every minute
//
// What it promises:
//
//   - A change is in the set of every replica as soon as its watch hears of it. It waits for no secret of another endpoint,
//     and for its own no longer than a moment: then the endpoint is there and says that it cannot send yet.
//   - Who changes an endpoint is answered when the replica that answers has the change in its own set.
//   - Of two who change an endpoint at once neither undoes what the other did.
//   - What stands in the bucket and cannot be used is an endpoint that says why, and keeps no other from its work.
//   - No secret is in a record but sealed, and none in a view, an error or a log.
package registry
