package client

import (
	"crypto/rand"
	"runtime"
	"sync"
	"time"
)

const (
	// maxSpare is how many one-time keys of a kind are kept ready, for whoever asks again and again. One of the hybrid kind takes
	// about 10 KiB.
	maxSpare = 16
	// often is how soon after another a request has to come, for more keys to be kept ready than the next.
	often = time.Second
)

// spareKeys are one-time keys that are made ahead, of each kind that was used: the next one for who asks seldom, more for who asks
// often. To make a key takes about as long as to open what was sealed to it. Made in the hour of need, one at a time, it is in the
// way of its own request or of the one before; several at once are in the way of few.
type spareKeys struct {
	mu     sync.Mutex
	kinds  map[string]*spareKind
	closed bool
}

// spareKind is the keys of one kind.
type spareKind struct {
	keys   []sealKey
	want   int // how many are to be ready
	making bool
	asked  time.Time // last
}

// take returns a key that nobody has used, and a nonce, and has more keys made when few are left.
func (s *spareKeys) take(alg string) (key sealKey, nonce string, err error) {
	s.mu.Lock()
	kind := s.kind(alg, time.Now())
	if last := len(kind.keys) - 1; last >= 0 {
		key, kind.keys[last] = kind.keys[last], nil
		kind.keys = kind.keys[:last]
	}
	if len(kind.keys) <= kind.want/2 && !kind.making && !s.closed {
		kind.making = true
		go s.fill(alg, kind)
	}
	s.mu.Unlock()
	if key == nil {
		key, err = newSealKey(alg)
	}
	return key, rand.Text(), err
}

// kind returns the keys of a kind that is asked for, and adapts how many there are to be.
func (s *spareKeys) kind(alg string, now time.Time) *spareKind {
	kind := s.kinds[alg]
	if kind == nil {
		if s.kinds == nil {
			s.kinds = make(map[string]*spareKind)
		}
		kind = &spareKind{}
		s.kinds[alg] = kind
	}
	if now.Sub(kind.asked) < often {
		kind.want = min(2*kind.want, maxSpare)
	} else {
		kind.want = 1
	}
	kind.asked = now
	return kind
}

// fill makes keys until as many are ready as there are to be.
func (s *spareKeys) fill(alg string, kind *spareKind) {
	for s.makeOne(alg, kind) {
		runtime.Gosched() // whatever is waited for goes first
	}
}

// makeOne makes a key to take, and reports whether another is to be made. Where it fails, the next request makes its own, and
// hears why.
func (s *spareKeys) makeOne(alg string, kind *spareKind) (more bool) {
	key, err := newSealKey(alg)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
	case s.closed:
		key.wipe()
	default:
		kind.keys = append(kind.keys, key)
		more = len(kind.keys) < kind.want
	}
	kind.making = more
	return more
}

// close wipes what nobody took.
func (s *spareKeys) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, kind := range s.kinds {
		for _, key := range kind.keys {
			key.wipe()
		}
		kind.keys = nil
	}
}
