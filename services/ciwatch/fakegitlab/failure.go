package fakegitlab

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Failure is one answer that is none.
type Failure struct {
	// Status is the answer's status; 0 is 200.
	Status int
	// Body is the answer's body; empty is a message in GitLab's form.
	Body string
	// RetryAfter becomes the header of that name, in whole seconds.
	RetryAfter time.Duration
	// ResetAfter says that the rate limit is used up for so long; it goes with status 429.
	ResetAfter time.Duration
	// Header adds to the answer's headers.
	Header http.Header
	// Done has the request carried out all the same, though its answer is lost.
	Done bool
}

// fail answers with a failure.
func (s *Server) fail(w http.ResponseWriter, failure Failure) {
	if failure.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(failure.RetryAfter/time.Second)))
	}
	if failure.ResetAfter > 0 {
		w.Header().Set("RateLimit-Limit", "2000")
		w.Header().Set("RateLimit-Remaining", "0")
		w.Header().Set("RateLimit-Reset", strconv.FormatInt(s.opts.Now().Add(failure.ResetAfter).Unix(), 10))
	}
	maps.Copy(w.Header(), failure.Header)
	status := failure.Status
	if status == 0 {
		status = http.StatusOK
	}
	if failure.Body == "" {
		refuse(w, status, strconv.Itoa(status)+" "+http.StatusText(status))
		return
	}
	w.WriteHeader(status)
	fmt.Fprint(w, failure.Body)
}
