package gate

import (
	"encoding/json"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Health is what all replicas know of how an endpoint does. The zero value is that of an endpoint that works.
type Health struct {
	// Trips counts how often in a row the breaker opened; 0 means that it is closed.
	Trips int `json:"trips,omitempty"`
	// NotBefore is when the next attempt may be made: the breaker is open until then, or the receiver asked for the time.
	NotBefore time.Time `json:"not_before,omitzero"`
	// FailingSince is when the endpoint began to fail without a success.
	FailingSince time.Time `json:"failing_since,omitzero"`
	// ProbeUntil is until when somebody probes an open breaker; others keep away.
	ProbeUntil time.Time `json:"probe_until,omitzero"`
	// Disabled says that it gets nothing any more. Generation tells this disabling from every other: the time of it, in
	// nanoseconds since 1970.
	Disabled   bool   `json:"disabled,omitempty"`
	Generation uint64 `json:"generation,omitempty"`
	// Told says that its disabling was published and its first probe is on its way.
	Told bool `json:"told,omitempty"`
	// Reason, Status and Since tell of the last change for the worse.
	Reason string    `json:"reason,omitempty"`
	Status int       `json:"status,omitempty"`
	Since  time.Time `json:"since,omitzero"`
}

// HeldBack reports whether an attempt that comes now has to wait, but for the probe of an open breaker.
func (h Health) HeldBack(now time.Time) bool { return h.Trips > 0 || h.NotBefore.After(now) }

// View returns how an endpoint does, for people.
func (h Health) View() events.EndpointStatus {
	status := events.EndpointStatus{State: events.EndpointActive, FailingSince: h.FailingSince, NotBefore: h.NotBefore}
	switch {
	case h.Disabled:
		status.State = events.EndpointDisabledState
	case h.Trips > 0:
		status.State = events.EndpointFailing
	default:
		return status
	}
	status.Reason, status.Since = h.Reason, h.Since
	return status
}

// limits is what the replicas share out among them.
type limits struct {
	// Next is when the next attempt is due under the rate limit (the theoretical arrival time of GCRA, ITU-T I.371).
	Next time.Time `json:"next,omitzero"`
	// Places is how many attempts each replica may have in flight.
	Places map[string]lease `json:"places,omitempty"`
}

// lease is the places of one replica. It is hungry if it wants more than it can have.
type lease struct {
	N      int       `json:"n"`
	Until  time.Time `json:"until"`
	Hungry bool      `json:"hungry,omitempty"`
}

// others is what the other replicas have.
type others struct {
	replicas int
	taken    int  // places
	hungry   bool // one of them, at least
}

// others returns what all replicas but one have, of those whose lease is not over.
func (l limits) others(but string, now time.Time) others {
	var o others
	for replica, held := range l.Places {
		if replica != but && held.Until.After(now) {
			o.replicas++
			o.taken += held.N
			o.hungry = o.hungry || held.Hungry
		}
	}
	return o
}

// fair is how many places a replica may have beside others that are hungry.
func (o others) fair(places int) int { return (places + o.replicas) / (o.replicas + 1) }

// decode reads a value of the bucket. What cannot be read counts as nothing: state can be lost without harm, and somebody's
// hand in the bucket must not stop deliveries.
func decode[T any](value []byte) T {
	var v T
	if json.Unmarshal(value, &v) != nil {
		var none T
		return none
	}
	return v
}
