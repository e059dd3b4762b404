package hooks

import (
	"net/http"
	"strconv"
	"time"
)

// outcome is what becomes of a request, as metrics and traces name it.
type outcome string

// The outcomes.
const (
	accepted    outcome = "accepted"
	ping        outcome = "ping"
	ignored     outcome = "ignored"      // it tells nothing that matters
	unwatched   outcome = "unwatched"    // it tells of a repository that does not matter
	noEvent     outcome = "no_event"     // its head lacks the name of the event
	noDelivery  outcome = "no_delivery"  // its head lacks the id of the delivery
	malformed   outcome = "malformed"    // its body is not as documented
	broken      outcome = "broken"       // its body broke off
	unsigned    outcome = "unsigned"     // nobody that is known here has sent it
	notFound    outcome = "not_found"    // no forge posts to its path
	wrongMethod outcome = "wrong_method" // it is no POST
	slow        outcome = "slow"         // its body takes too long
	tooLarge    outcome = "too_large"    // its body is too large
	wrongType   outcome = "wrong_type"   // its body is no JSON, or compressed
	full        outcome = "full"         // there is no memory for its body
	busy        outcome = "busy"         // too many are being stored
	unstored    outcome = "unstored"     // the stream does not take it
)

// answer returns the status of the outcome, what is said to whoever has sent the request, empty for nothing but that it was taken, and when to come
// again, 0 for never. All requests with an outcome get the same answer: why a signature is not a good one, for example, it does not tell.
func (o outcome) answer() (status int, text string, retry time.Duration) {
	switch o {
	case ping:
		return http.StatusOK, "", 0
	case accepted, ignored, unwatched:
		return http.StatusAccepted, "", 0
	case noEvent:
		return http.StatusBadRequest, "the header that names the event must be there once", 0
	case noDelivery:
		return http.StatusBadRequest, "the header with the id of the delivery must be there once, and be up to 100 letters, digits and dashes", 0
	case malformed:
		return http.StatusBadRequest, "the body is not what the forge documents for this event", 0
	case unsigned:
		return http.StatusUnauthorized, "the signature is missing, or not made with a secret that is known here", 0
	case notFound:
		return http.StatusNotFound, "there is nothing here", 0
	case wrongMethod:
		return http.StatusMethodNotAllowed, "webhooks are sent with POST", 0
	case slow:
		return http.StatusRequestTimeout, "the body comes too slowly", 0
	case tooLarge:
		return http.StatusRequestEntityTooLarge, "the body is too large", 0
	case wrongType:
		return http.StatusUnsupportedMediaType, "the body must be plain JSON: set the webhook's content type to application/json", 0
	case full:
		return http.StatusServiceUnavailable, "there is no memory for the body at this time", time.Second
	case busy:
		return http.StatusServiceUnavailable, "there is too much to be stored at this time", time.Second
	case unstored:
		return http.StatusServiceUnavailable, "it cannot be stored at this time", 10 * time.Second
	case broken:
	}
	return http.StatusBadRequest, "the body broke off", 0
}

// result is what has become of one request.
type result struct {
	outcome outcome
	stored  int    // sightings
	event   string // label of the event; empty unless the request is signed
	wholly  bool   // its body was read to the end
	forge   string // empty without one
}

// write answers.
func (r result) write(w http.ResponseWriter) {
	status, text, retry := r.outcome.answer()
	body := `{"accepted":` + strconv.Itoa(r.stored) + "}\n"
	if text != "" {
		body = `{"error":"` + text + "\"}\n"
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.outcome == wrongMethod {
		h.Set("Allow", http.MethodPost)
	}
	if retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(retry/time.Second)))
	}
	w.WriteHeader(status)
	w.Write([]byte(body))
}
