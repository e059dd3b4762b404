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

// Fail makes the next requests fail, one for each failure.
func (s *Server) Fail(failures ...Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, failures...)
}

// SetFault has each request asked whether it fails, after those of [Server.Fail]; nil ends it. Fault must not call the server.
func (s *Server) SetFault(fault func(r *http.Request) (Failure, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Heal forgets the failures that are still to come.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures, s.fault = nil, nil
}

// nextFailure takes the first failure of the queue.
func (s *Server) nextFailure(r *http.Request) (Failure, bool) {
	if len(s.failures) == 0 {
		if s.fault == nil {
			return Failure{}, false
		}
		return s.fault(r)
	}
	failure := s.failures[0]
	s.failures = s.failures[1:]
	return failure, true
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
