package fakegithub

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Limits of an hour: of who carries a token and nothing else was said, and of who carries none.
const (
	usualLimit     = 5000
	anonymousLimit = 60
)

// account is whom a limit belongs to: a user, who may have several tokens one after the other, or an installation of an app.
type account struct {
	limit     int
	remaining int
	reset     time.Time
	wrote     time.Time
	scopes    []string // owners or owner/name that it sees; all without any
}

// grant is what a token gives.
type grant struct {
	to      *account
	expires time.Time // never, when it is zero
}

// SetTokens has the given tokens accepted, each with limits of its own, and no others. Those of apps stay good.
func (s *Server) SetTokens(tokens ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for text, grant := range s.grants {
		if grant.expires.IsZero() {
			delete(s.grants, text)
		}
	}
	for _, text := range tokens {
		s.grants[text] = &grant{to: s.newAccount(s.limit(), nil)}
	}
}

// RotateToken has a token take the place of another one, which is refused from now on. The limits are those of its owner, as
// before. It reports whether the old one was good.
func (s *Server) RotateToken(old, fresh string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, ok := s.grants[old]
	if ok {
		delete(s.grants, old)
		s.grants[fresh] = was
	}
	return ok
}

// Restrict has a token see nothing but some owners, or repositories as owner/name.
func (s *Server) Restrict(token string, scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if grant, ok := s.grants[token]; ok {
		grant.to.scopes = scopes
	}
}

// Remaining returns what is left to a token in its window.
func (s *Server) Remaining(token string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	grant, ok := s.grants[token]
	if !ok {
		return 0
	}
	s.refresh(grant.to)
	return grant.to.remaining
}

// limit is that of a token.
func (s *Server) limit() int {
	if s.opts.RateLimit > 0 {
		return s.opts.RateLimit
	}
	return usualLimit
}

func (s *Server) newAccount(limit int, scopes []string) *account {
	return &account{limit: limit, remaining: limit, scopes: scopes}
}

// account returns whose request it is; nil when the token is not accepted.
func (s *Server) account(r *http.Request) *account {
	header := r.Header.Get("Authorization")
	scheme, text, _ := strings.Cut(header, " ")
	switch {
	case header == "" && s.closed && !s.opts.Anonymous:
		return nil
	case header != "" && s.closed:
		grant, ok := s.grants[text]
		if !ok || scheme != "Bearer" && scheme != "token" || !grant.expires.IsZero() && !s.opts.Now().Before(grant.expires) {
			return nil
		}
		return grant.to
	}
	known, ok := s.accounts[header] // nobody asks for tokens: each has its limit
	if !ok {
		limit := s.limit()
		if header == "" && s.opts.RateLimit > 0 {
			limit = anonymousLimit
		}
		known = s.newAccount(limit, nil)
		s.accounts[header] = known
	}
	return known
}

// sees reports whether an account sees a repository, or an owner.
func (a *account) sees(name string) bool {
	if len(a.scopes) == 0 {
		return true
	}
	owner, _, _ := strings.Cut(name, "/")
	for _, scope := range a.scopes {
		if strings.EqualFold(scope, name) || strings.EqualFold(scope, owner) {
			return true
		}
	}
	return false
}

// refresh begins a new window when the last has ended.
func (s *Server) refresh(a *account) {
	if now := s.opts.Now(); !now.Before(a.reset) {
		a.remaining, a.reset = a.limit, now.Add(time.Hour).Truncate(time.Second)
	}
}

// allow reports whether an account may make a request now. If not, it says why.
func (s *Server) allow(w http.ResponseWriter, r *http.Request, a *account) bool {
	if s.opts.RateLimit == 0 {
		return true
	}
	if a.remaining == 0 {
		refuse(w, http.StatusForbidden, "API rate limit exceeded for user ID 4100.")
		return false
	}
	if r.Method == http.MethodGet {
		return true
	}
	now := s.opts.Now()
	hasty := now.Sub(a.wrote) < time.Second
	a.wrote = now
	if hasty {
		w.Header().Set("Retry-After", "60")
		refuse(w, http.StatusForbidden, secondaryLimit)
	}
	return !hasty
}

// spend counts a request.
func (s *Server) spend(w http.ResponseWriter, _ *http.Request, a *account) {
	if a == nil {
		return
	}
	least := 0
	if s.opts.RateLimit == 0 {
		least = 1
	}
	a.remaining = max(a.remaining-1, least)
	s.rateHeaders(w.Header(), a)
}

// rateHeaders says how many requests are left of the hour.
func (s *Server) rateHeaders(h http.Header, a *account) {
	limit, remaining, reset := anonymousLimit, anonymousLimit-1, s.opts.Now().Add(time.Hour)
	if a != nil {
		s.refresh(a)
		limit, remaining, reset = a.limit, a.remaining, a.reset
	}
	h.Set("X-Ratelimit-Limit", strconv.Itoa(limit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-Ratelimit-Used", strconv.Itoa(limit-remaining))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	h.Set("X-Ratelimit-Resource", "core")
}
