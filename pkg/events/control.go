package events

import (
	"strconv"
	"time"
)

// MaxWindow is the largest [HeaderWindow]: how many chunks a reader can have on their way at most.
const MaxWindow = 1 << 16

// StreamControl is what the reader of a stream sends to the reply subject of its chunks (see [Subjects.StreamControl]).
type StreamControl struct {
	// Received is the [HeaderSequence] of the last chunk that the reader has taken: as many more as its window allows may
	// follow. What is less than was said before, or more than was sent, is ignored.
	Received uint64 `json:"received,omitempty"`
	// Cancel ends the stream: nobody reads it any more.
	Cancel bool `json:"cancel,omitempty"`
}

// Window reads how many chunks the caller of a stream allows on their way: [HeaderWindow], or 0 when the caller did not say,
// and does not acknowledge. A header that is no whole number of 1 to [MaxWindow] is an [Error] of code invalid_argument.
func Window(header map[string][]string) (int, error) {
	v := HeaderValue(header, HeaderWindow)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > MaxWindow {
		return 0, Errorf(CodeInvalidArgument, "%s is %q; it must be a whole number of 1 to %d", HeaderWindow, truncate(v, 40), MaxWindow)
	}
	return n, nil
}

// Bounds of [HeaderKeepaliveMS].
const (
	MinKeepalive = 100 * time.Millisecond
	MaxKeepalive = time.Minute
)

// Keepalive reads after how much silence the caller of a stream wants a sign of life: [HeaderKeepaliveMS], or 0 when the caller wants
// none. A header that is no whole number of milliseconds within [MinKeepalive] and [MaxKeepalive] is an [Error] of code
// invalid_argument.
func Keepalive(header map[string][]string) (time.Duration, error) {
	v := HeaderValue(header, HeaderKeepaliveMS)
	if v == "" {
		return 0, nil
	}
	ms, err := strconv.ParseInt(v, 10, 64)
	if least, most := MinKeepalive.Milliseconds(), MaxKeepalive.Milliseconds(); err != nil || ms < least || ms > most {
		return 0, Errorf(CodeInvalidArgument, "%s is %q; it must be a whole number of %d to %d milliseconds", HeaderKeepaliveMS, truncate(v, 40), least, most)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
