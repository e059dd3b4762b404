package native

import (
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// Bounds on the calls of one answer: their ids are kept until its end, and compared with each other.
const (
	// MaxCalls is how many there may be.
	MaxCalls = 1024
	// maxCallID is the longest id, in bytes.
	maxCallID = 1024
)

// Calls are the ids of the calls of one answer so far.
type Calls []string

// Add takes the id of one more call, or returns the fault of one that cannot be.
func (c *Calls) Add(s *wire.Server, id string) error {
	switch {
	case len(*c) == MaxCalls:
		return s.Bad("it has more than %d calls", MaxCalls)
	case len(id) > maxCallID:
		return s.Bad("the id of a call has %d bytes; at most %d are believed", len(id), maxCallID)
	case slices.Contains(*c, id):
		return s.Bad("two calls have the same id")
	}
	*c = append(*c, id)
	return nil
}
