// Package history tells what became of deliveries, from the records of attempts and the dead letters, and puts back on
// their way what was given up, or what was never sent.
//
// A request is worked on page by page: each looks at so many messages for so long, and answers with what it found and a
// cursor. All pages together look at what was there when the first was asked for.
package history

import (
	"context"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of the work on one page.
const (
	pageMessages = 20_000
	pageTime     = 2 * time.Second
)

// Bounds of replies, in bytes. What the server takes at most is a bound too.
const (
	maxReply      = 4 << 20
	replyHeadroom = 8 << 10
	maxErrorText  = 512 // of an entry of a list
	maxClass      = 32
)

// Streams is what of the bus is needed; [bus.Bus] is one.
type Streams interface {
	// Scan calls visit with the messages of a stream in their order.
	Scan(ctx context.Context, cfg bus.ScanConfig, visit func(*bus.Message) (more bool, err error)) error
	// StoredMessage returns one message, or [bus.ErrNotFound].
	StoredMessage(ctx context.Context, stream string, seq uint64) (*bus.Message, error)
	// LastSequence is that of the last message of a stream; 0 when there never was one.
	LastSequence(ctx context.Context, stream string) (uint64, error)
	// PublishAll stores messages and waits for the acks of all.
	PublishAll(ctx context.Context, msgs []bus.Msg) error
	// Subjects are those of the installation.
	Subjects() events.Subjects
	// MaxPayload is the largest message, in bytes.
	MaxPayload() int64
}

// History answers the operations about deliveries. It is safe for concurrent use.
type History struct {
	streams     Streams
	subjects    events.Subjects
	deliverable func(endpointID string) error
}

// New returns a History. The function deliverable says why nothing can be delivered to an endpoint: that there is none of that
// id, or that it is disabled. Its error is an [events.Error].
func New(streams Streams, deliverable func(endpointID string) error) *History {
	return &History{streams: streams, subjects: streams.Subjects(), deliverable: deliverable}
}

// replyLimit is the most that the bodies in a reply may take.
func (h *History) replyLimit() int {
	limit := maxReply
	if most := h.streams.MaxPayload(); most > 0 {
		limit = int(min(most, maxReply))
	}
	return max(limit-replyHeadroom, 0)
}

// stream returns the real name of a stream of the catalogue.
func (h *History) stream(name string) string { return h.subjects.StreamName(name) }

// orAll returns the token of a subject, or the wildcard for it when there is none.
func orAll(token string) string {
	if token == "" {
		return anyToken
	}
	return token
}
