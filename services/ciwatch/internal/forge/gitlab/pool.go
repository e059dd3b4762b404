package gitlab

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// blindness is that a credential cannot see something: a project's token sees that project, a group's that group.
type blindness struct {
	credential *credential
	scope      string // a project, or an owner, in lower case
}

const (
	blindFor = time.Hour // a right may have been given meanwhile
	maxBlind = 4096
)

// choose returns the credential for the next request: of those that may be used and were not tried, the one with the most left. The error
// says why none is.
func (f *Forge) choose(scope string, tried map[*credential]bool) (*credential, *events.Error) {
	now := f.now()
	var (
		best     *credential
		most     int
		earliest time.Duration
		problem  *events.Error
	)
	for _, c := range f.seeing(scope, now) {
		if tried[c] {
			continue
		}
		if wait := c.resting(now); wait > 0 {
			if earliest == 0 || wait < earliest {
				earliest = wait
			}
			continue
		}
		if !c.usable(now) {
			if p, ok := c.problem(); ok {
				problem = events.AsError(p.Err)
			}
			continue
		}
		if left := c.left(now); best == nil || left > most {
			best, most = c, left
		}
	}
	switch {
	case best != nil:
		return best, nil
	case earliest > 0:
		return nil, f.rateLimited(earliest)
	case problem != nil:
		return nil, problem
	default:
		return nil, f.failed(events.CodeUnauthenticated, "no credential is left to ask with", nil)
	}
}

// seeing returns the credentials that may see a scope: all of them, if none is known to.
func (f *Forge) seeing(scope string, now time.Time) []*credential {
	f.mu.Lock()
	defer f.mu.Unlock()
	var seeing []*credential
	for _, c := range f.credentials {
		if !now.Before(f.blind[blindness{c, scope}]) {
			seeing = append(seeing, c)
		}
	}
	if len(seeing) == 0 {
		return f.credentials
	}
	return seeing
}

// cannotSee remembers that credentials cannot see a scope, since another one can.
func (f *Forge) cannotSee(blind []*credential, scope string) {
	if len(blind) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.blind) >= maxBlind {
		clear(f.blind) // it costs a request each to find out again
	}
	for _, c := range blind {
		f.blind[blindness{c, scope}] = f.now().Add(blindFor)
	}
}
