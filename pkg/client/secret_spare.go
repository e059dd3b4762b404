package client

import (
	"crypto/rand"
	"sync"
)

// spareKeys are one-time keys that are made ahead, one of each kind that was used: while a request waits for its answer, which
// takes about as long, the key of the next is made.
type spareKeys struct {
	mu     sync.Mutex
	keys   map[string]sealKey
	making map[string]bool
	closed bool
}

// take returns a key that nobody has used, and a nonce, and has the next key made.
func (s *spareKeys) take(alg string) (key sealKey, nonce string, err error) {
	s.mu.Lock()
	key = s.keys[alg]
	delete(s.keys, alg)
	if !s.making[alg] && !s.closed {
		if s.making == nil {
			s.making, s.keys = make(map[string]bool), make(map[string]sealKey)
		}
		s.making[alg] = true
		go s.makeOne(alg)
	}
	s.mu.Unlock()
	if key == nil {
		key, err = newSealKey(alg)
	}
	return key, rand.Text(), err
}

// makeOne makes a key to take. Where it fails, the next request makes its own, and hears why.
func (s *spareKeys) makeOne(alg string) {
	key, err := newSealKey(alg)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.making[alg] = false
	switch {
	case err != nil:
	case s.closed || s.keys[alg] != nil:
		key.wipe()
	default:
		s.keys[alg] = key
	}
}

// close wipes what nobody took.
func (s *spareKeys) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, key := range s.keys {
		key.wipe()
	}
	clear(s.keys)
}
