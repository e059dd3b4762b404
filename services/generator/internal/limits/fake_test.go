package limits_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// shared are counters in memory, as several replicas share them.
type shared struct {
	mu     sync.Mutex
	counts map[string]int64
	seen   map[string]bool
	calls  int
	away   bool          // they cannot be reached
	takes  time.Duration // how long each increment takes
	loses  int           // answers
	closed chan struct{} // when they are
}

var errAway = errors.New("away")

func newShared() *shared {
	return &shared{counts: map[string]int64{}, seen: map[string]bool{}, closed: make(chan struct{})}
}

func (s *shared) Subjects() events.Subjects { return events.Subjects{} }
func (s *shared) Closed() <-chan struct{}   { return s.closed }

func (s *shared) Connected() error {
	select {
	case <-s.closed:
		return errAway
	default:
		return nil
	}
}

func (s *shared) Increment(ctx context.Context, subject, id string, by int64) (value int64, err error) {
	s.mu.Lock()
	takes := s.takes
	s.mu.Unlock()
	if takes > 0 {
		<-time.After(takes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.away {
		return 0, errAway
	}
	if s.loses > 0 {
		s.loses--
		defer func() {
			s.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Second): // as long as the bus waits
			}
			s.mu.Lock()
			value, err = 0, context.DeadlineExceeded
		}()
	}
	if id == "" || !s.seen[id] {
		s.counts[subject] += by
		s.seen[id] = true
	}
	return s.counts[subject], nil
}

// set changes how the counters behave.
func (s *shared) set(away bool, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away, s.takes = away, takes
}

// lose loses the next answers; what was asked for is done.
func (s *shared) lose(answers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loses = answers
}

// asked returns how often somebody asked.
func (s *shared) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// total sums up all counters of a kind: "limits.requests", "limits.tokens", "budgets.cost".
func (s *shared) total(kind string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum int64
	for subject, n := range s.counts {
		if strings.HasPrefix(subject, "mlsdm."+kind+".") {
			sum += n
		}
	}
	return sum
}
