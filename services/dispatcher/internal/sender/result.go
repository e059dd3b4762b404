// Package sender makes one attempt to deliver a webhook, and says what came of it.
package sender

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Verdict is what an attempt means for its delivery.
type Verdict int

// The verdicts.
const (
	// Delivered: the receiver took the webhook.
	Delivered Verdict = iota + 1
	// Retry: it may pass (408, 425, 429, 5xx, no answer); to be tried again by the whole schedule.
	Retry
	// Refused: the receiver does not want it so (3xx, other 4xx); to be tried again a few times, in case it was a mistake.
	Refused
	// Gone: the endpoint is no more (410).
	Gone
	// Disable: the receiver asked that the endpoint be disabled (webhook-delivery: disable).
	Disable
	// Abort: the receiver asked that this webhook not be tried again (webhook-delivery: abort-message).
	Abort
	// Misconfigured: nothing can be sent as the endpoint is set; to be tried again by the whole schedule, as that may be mended.
	Misconfigured
	// Interrupted: the caller ended it.
	Interrupted
)

// Result is what came of one attempt.
type Result struct {
	// At is when it began.
	At time.Time
	// Latency is how long it took.
	Latency time.Duration
	// Timing splits the latency, as far as it came.
	Timing events.AttemptTiming
	// Status is the HTTP status; 0 when there was no answer.
	Status int
	// Response is the start of the answer's body, at most 4 KiB of valid UTF-8.
	Response string
	// Verdict is what it means.
	Verdict Verdict
	// RetryAfter is the time that the receiver asked for (429, 502, 503, 504), at most an hour; 0 when it did not.
	RetryAfter time.Duration
	// Class is that of Err, one of events.ErrorClass….
	Class string
	// Err says why the webhook was not delivered; nil if it was. It holds neither the URL nor the value of a header, and at
	// most half a KiB of what others chose.
	Err error
	// Sent are the headers for the record, each once: secret values masked, signatures left out. None when the request could
	// not be made.
	Sent []egress.Field
}
