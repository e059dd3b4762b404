package vault

import (
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// session is a token of ours.
type session struct {
	token secret.Value
	own   bool // gained by a login, and so ours to revoke
	since time.Time
	// blind says that it may not look at itself: whether it is good shows in use only.
	blind bool

	mu        sync.Mutex
	term      term
	renewable bool
	dead      bool // Vault does not accept it any more
}

// until returns when it ends, as far as is known; zero is never.
func (s *session) until() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term.ends
}

// ended reports whether it is of no more use.
func (s *session) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead || s.term.over()
}

// kill says that Vault does not accept it.
func (s *session) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
}

// isDead reports whether Vault does not accept it, whatever its time.
func (s *session) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// state returns what is known of it.
func (s *session) state() (term, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term, s.renewable
}

// extend notes a renewal that was asked for at a time.
func (s *session) extend(asked time.Time, auth authAnswer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term.ends = granted(asked, auth.LeaseDuration).ends
	s.renewable = auth.Renewable
}
