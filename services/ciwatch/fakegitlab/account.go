package fakegitlab

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// account is whom a limit belongs to, and what it sees.
type account struct {
	observed int
	reset    time.Time
	scopes   []string // groups or projects that it sees; all without any
	reads    bool     // it may not change anything
}

// SetTokens has the given tokens accepted, each with limits of its own, and no others. Who has none sees nothing then.
func (s *Server) SetTokens(tokens ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	clear(s.accounts)
	for _, text := range tokens {
		s.accounts[text] = &account{}
	}
}

// RotateToken has a token take the place of another one, which is refused from now on. It reports whether the old one was good.
func (s *Server) RotateToken(old, fresh string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, ok := s.accounts[old]
	if ok {
		delete(s.accounts, old)
		s.accounts[fresh] = was
	}
	return ok
}

// Restrict has a token see nothing but some groups or projects.
func (s *Server) Restrict(token string, scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if account, ok := s.accounts[token]; ok {
		account.scopes = scopes
	}
}

// ReadOnly has a token change nothing: its scope is read_api.
func (s *Server) ReadOnly(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if account, ok := s.accounts[token]; ok {
		account.reads = true
	}
}

// account returns whose request it is; nil when the token is not accepted.
func (s *Server) account(r *http.Request) *account {
	token := r.Header.Get("Private-Token")
	known, ok := s.accounts[token]
	switch {
	case ok:
		return known
	case token != "" && s.closed:
		return nil
	case s.closed:
		known = &account{scopes: []string{"/"}} // it sees nothing
	default:
		known = &account{}
	}
	s.accounts[token] = known
	return known
}

// sees reports whether an account sees a project.
func (a *account) sees(path string) bool {
	if len(a.scopes) == 0 {
		return true
	}
	for _, scope := range a.scopes {
		if strings.EqualFold(scope, path) || strings.HasPrefix(strings.ToLower(path), strings.ToLower(scope)+"/") {
			return true
		}
	}
	return false
}

// allow counts a request, whatever will be answered, and reports whether there may be one more in the window.
func (s *Server) allow(w http.ResponseWriter, a *account) bool {
	if s.opts.RateLimit == 0 {
		return true
	}
	now := s.opts.Now()
	if !now.Before(a.reset) {
		a.observed, a.reset = 0, now.Truncate(s.opts.Window).Add(s.opts.Window)
	}
	a.observed++
	h := w.Header()
	h.Set("RateLimit-Name", "throttle_authenticated_api")
	h.Set("RateLimit-Limit", strconv.Itoa(max(int(time.Minute)*s.opts.RateLimit/int(s.opts.Window), 1))) // of a minute, always
	h.Set("RateLimit-Observed", strconv.Itoa(a.observed))
	h.Set("RateLimit-Remaining", strconv.Itoa(max(s.opts.RateLimit-a.observed, 0)))
	h.Set("RateLimit-Reset", strconv.FormatInt(a.reset.Unix(), 10))
	if a.observed <= s.opts.RateLimit {
		return true
	}
	h.Set("Retry-After", strconv.Itoa(int(a.reset.Sub(now)/time.Second)+1))
	h.Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusTooManyRequests)
	w.Write([]byte("Retry later\n"))
	return false
}
