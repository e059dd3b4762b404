package history

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// cursor is a place in a stream. As text it is opaque, and stays good for as long as the stream holds the messages.
type cursor struct {
	stream string // of the catalogue
	next   uint64 // the sequence to go on with; 0 is the start, which no text says
	index  int    // which part of that message is next; 0 unless it holds several
	end    uint64 // the last sequence to look at
}

// maxCursor bounds a cursor's text, in bytes.
const maxCursor = 256

// String returns the cursor as text, of characters that need no quoting anywhere.
func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %d %d", c.stream, c.next, c.index, c.end))
}

// parseCursor reads a cursor over a stream; the empty text is the start. Errors are of code invalid_argument.
func parseCursor(text, stream string) (cursor, error) {
	start := cursor{stream: stream}
	if text == "" {
		return start, nil
	}
	wrong := events.Errorf(events.CodeInvalidArgument, "the cursor is none that a reply to the same question gave; leave it out to begin anew")
	if len(text) > maxCursor {
		return start, wrong
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return start, wrong
	}
	parts := strings.Split(string(plain), " ")
	if len(parts) != 4 || parts[0] != stream {
		return start, wrong
	}
	c := start
	var errs [3]error
	c.next, errs[0] = strconv.ParseUint(parts[1], 10, 64)
	c.index, errs[1] = strconv.Atoi(parts[2])
	c.end, errs[2] = strconv.ParseUint(parts[3], 10, 64)
	if errs != [3]error{} || c.next == 0 || c.end == 0 || c.index < 0 || c.String() != text {
		return start, wrong
	}
	return c, nil
}
