// Package gate decides when an attempt to an endpoint may be made, so that no endpoint gets more than it takes and none
// stands in the way of another.
//
// An attempt passes, in this order: is the endpoint disabled; is it held back, because its breaker is open or it asked for
// time; is there a place for it, under the endpoint's own concurrency, its share of the workers and its slow start; is it
// within the endpoint's rate. What may not pass is given a time at which to come back. It is given that time once: whoever
// comes at the time it was given for the rate passes without another.
//
// What holds over all replicas is kept in a KV bucket and changed by compare-and-swap: the breaker and its one probe, the
// wait that a receiver asked for, the disabling, the next free place under the rate, and how many attempts each replica may
// have in flight. No replica has to know of another.
package gate
