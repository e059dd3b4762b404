package hooks

import (
	"errors"
	"time"
)

const (
	// idleTime is how long a connection may wait for its next request.
	idleTime = time.Minute
	// maxHeader bounds the head of a request, in bytes; net/http reads headerSlop more than it is told.
	maxHeader, headerSlop = 16 << 10, 4 << 10
	// linger is how long what is left of the body of a refused request is read, so that whoever sends it reads the answer.
	linger = 5 * time.Second
	// smallBody is what is read of a body that is refused, in bytes, rather than to close the connection.
	smallBody = 16 << 10
)

// Bounds are what may be asked of a door.
type Bounds struct {
	// Body is the largest body, in bytes.
	Body int
	// Common is the largest body that is usual, in bytes. Larger ones have memory of their own, so that a flood of them leaves the others alone.
	Common int
	// Memory is what all bodies together may hold, in bytes; Large is how much of it is for those that are larger than Common.
	Memory, Large int
	// Connections is how many may be open; one more closes the one that has been there longest without a signed webhook.
	Connections int
	// Work is how many signed webhooks may be on their way to their stream.
	Work int
	// HeaderTime is how long the head of a request may take, and BodyTime its body.
	HeaderTime, BodyTime time.Duration
	// Rate is how fast a body must come at least, in bytes a second, once Grace is over.
	Rate  int
	Grace time.Duration
	// RoomTime is how long a body waits for memory.
	RoomTime time.Duration
	// PublishTime is how long it may take until a signed webhook is stored.
	PublishTime time.Duration
}

// DefaultBounds returns the bounds of a door that says nothing of them. 25 MiB is the largest webhook of GitHub, which waits ten seconds for the
// answer.
func DefaultBounds() Bounds {
	return Bounds{
		Body: 25 << 20, Common: 1 << 20, Memory: 256 << 20, Large: 64 << 20, Connections: 2048, Work: 64,
		HeaderTime: 10 * time.Second, BodyTime: 10 * time.Second, Rate: 16 << 10, Grace: 5 * time.Second,
		RoomTime: time.Second, PublishTime: 5 * time.Second,
	}
}

// complete returns b with defaults in the place of zeros.
func (b Bounds) complete() (Bounds, error) {
	d := DefaultBounds()
	for _, n := range []struct{ of, by *int }{
		{&b.Body, &d.Body},
		{&b.Common, &d.Common},
		{&b.Memory, &d.Memory},
		{&b.Large, &d.Large},
		{&b.Connections, &d.Connections},
		{&b.Work, &d.Work},
		{&b.Rate, &d.Rate},
	} {
		if *n.of == 0 {
			*n.of = *n.by
		}
		if *n.of < 0 {
			return b, errors.New("a bound is negative; it must be greater than 0, or 0 for the default")
		}
	}
	for _, t := range []struct{ of, by *time.Duration }{
		{&b.HeaderTime, &d.HeaderTime},
		{&b.BodyTime, &d.BodyTime},
		{&b.Grace, &d.Grace},
		{&b.RoomTime, &d.RoomTime},
		{&b.PublishTime, &d.PublishTime},
	} {
		if *t.of == 0 {
			*t.of = *t.by
		}
		if *t.of < 0 {
			return b, errors.New("a bound of time is negative; it must be greater than 0, or 0 for the default")
		}
	}
	if b.Large >= b.Memory {
		return b, errors.New("the memory of large bodies must be less than that of all")
	}
	return b, nil
}
