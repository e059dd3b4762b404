package sender

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// maxAnswer is how much of an answer is read, so that its connection can be used again; a longer one costs the
	// connection.
	maxAnswer = 64 << 10
	// maxKept is how much of an answer is kept for the record of the attempt, in bytes.
	maxKept = 4 << 10
	// firstRead is the room for an answer that does not say how long it is, at first.
	firstRead = 512
)

// readAnswer reads a bounded part of an answer's body and returns the start of it. That the rest is lost, or the
// connection, changes nothing: the status has said what there was to say.
func readAnswer(answer *http.Response) string {
	if answer.Body == http.NoBody || answer.StatusCode == http.StatusSwitchingProtocols { // whose body is a connection
		return ""
	}
	room := int64(firstRead)
	if answer.ContentLength >= 0 {
		room = min(answer.ContentLength, maxKept)
	}
	start := make([]byte, 0, max(room, 1))
	for {
		n, err := answer.Body.Read(start[len(start):cap(start)])
		start = start[:len(start)+n]
		if err != nil {
			break
		}
		if int64(len(start)) == answer.ContentLength { // all is here; see that the transport knows
			_, _ = io.CopyN(io.Discard, answer.Body, 1)
			break
		}
		if len(start) >= maxKept {
			_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer-maxKept)
			break
		}
		if len(start) == cap(start) {
			grown := make([]byte, len(start), min(2*cap(start), maxKept))
			copy(grown, start)
			start = grown
		}
	}
	return text(start)
}

// text returns the bytes as valid UTF-8, at most maxKept of them.
func text(b []byte) string {
	s := strings.ToValidUTF8(string(b), "\uFFFD")
	if len(s) > maxKept {
		s = strings.ToValidUTF8(s[:maxKept], "")
	}
	return s
}

// judge says what an answer means for the delivery.
func judge(answer *http.Response, now time.Time, result *Result) {
	status := answer.StatusCode
	if status >= 200 && status <= 299 { // whatever the receiver asks for besides
		result.Verdict = Delivered
		return
	}
	result.Class, result.Err = events.ErrorClassStatus, &StatusError{Status: status}
	switch {
	case status >= 300 && status <= 399:
		result.Verdict, result.Class = Refused, events.ErrorClassRedirect
	case status == http.StatusGone:
		result.Verdict = Gone
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		result.Verdict = Retry
	default:
		result.Verdict = Refused
	}
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		result.RetryAfter = retryAfter(answer.Header.Get("Retry-After"), now)
	}
	heedControl(answer.Header, result)
}

// headerControl is how a receiver that did not take a webhook may ask for more than to be tried again.
const headerControl = "Webhook-Delivery"

// heedControl does as the receiver asks.
func heedControl(header http.Header, result *Result) {
	for _, value := range header[headerControl] {
		for word := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.TrimSpace(word)) {
			case "disable":
				result.Verdict = Disable
				return
			case "abort-message":
				if result.Verdict != Gone {
					result.Verdict = Abort
				}
			}
		}
	}
}

// StatusError is an answer that says the webhook was not taken.
type StatusError struct{ Status int }

// Error implements error.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("the receiver answered %d", e.Status)
	if name := http.StatusText(e.Status); name != "" {
		text += " " + name
	}
	switch {
	case e.Status >= 300 && e.Status <= 399:
		text += "; redirects are not followed"
	case e.Status == http.StatusGone:
		text += "; it wants no more webhooks"
	}
	return text
}
