// Package journey puts together what became of one message, from the streams themselves: the durable request, its result, the events that
// came of it, and the delivery of each to each endpoint with every attempt. It needs no trace backend.
//
// What belongs together is found by ids: that of the request, which results and events name; the trace id, which all that was caused by
// one message have in common; the event's id, which deliveries name. So [Find] searches in rounds: what is found tells more ids, until
// there is nothing new. All searches are bounded, and [Journey.Searched] says what was looked at and what was not.
package journey
