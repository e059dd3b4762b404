package fakegithub

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
	// Body is the answer's body; empty is a message in GitHub's form.
	Body string
	// RetryAfter becomes the header of that name, in whole seconds.
	RetryAfter time.Duration
	// ResetAfter says that the rate limit is used up for so long; it goes with status 403 or 429.
	ResetAfter time.Duration
	// Secondary makes the body that of GitHub's secondary rate limit.
	Secondary bool
	// Header adds to the answer's headers.
	Header http.Header
	// Done has the request carried out all the same, though its answer is lost.
	Done bool
}

// secondaryLimit is what GitHub says to who is too fast.
const secondaryLimit = "You have exceeded a secondary rate limit."

// fail answers with a failure.
func (s *Server) fail(w http.ResponseWriter, failure Failure) {
	if failure.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(failure.RetryAfter/time.Second)))
	}
	if failure.ResetAfter > 0 {
		w.Header().Set("X-Ratelimit-Remaining", "0")
		w.Header().Set("X-Ratelimit-Reset", strconv.FormatInt(s.opts.Now().Add(failure.ResetAfter).Unix(), 10))
	}
	maps.Copy(w.Header(), failure.Header)
	status := failure.Status
	if status == 0 {
		status = http.StatusOK
	}
	switch {
	case failure.Body != "":
		w.WriteHeader(status)
		fmt.Fprint(w, failure.Body)
	case failure.Secondary:
		w.WriteHeader(status)
		fmt.Fprint(w, `{"message":"`+secondaryLimit+`","documentation_url":`+
			`"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`)
	default:
		refuse(w, status, http.StatusText(status))
	}
}
