package github

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// blindness is that a credential cannot see something: an app is installed for one owner, a token may be made for a few
// repositories.
type blindness struct {
	credential *credential
	scope      string // owner/name, or an owner, in lower case
}

const (
	blindFor = time.Hour // a right may have been given meanwhile
	maxBlind = 4096
)

// choose returns the credential for the next request: of those that may be used and were not tried, the one with the most left.
// One to which GitHub has given the ETag of the URL before is preferred, and one that nobody waits for. It has one more in its
// queue then, until release. The error says why none is.
func (f *Forge) choose(url, scope string, tried map[*credential]bool) (*credential, *events.Error) {
	f.choosing.Lock() // so that those who choose at once choose differently
	defer f.choosing.Unlock()
	now := f.now()
	seeing := f.seeing(scope, now)
	var (
		best     *credential
		most     int
		earliest time.Duration
		problem  *events.Error
	)
	for _, c := range seeing {
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
		if score := f.score(c, url, now); best == nil || score > most {
			best, most = c, score
		}
	}
	switch {
	case best != nil:
		best.enqueue(1)
		return best, nil
	case earliest > 0:
		return nil, f.rateLimited(earliest)
	case problem != nil:
		return nil, problem
	default:
		return nil, f.failed(events.CodeUnauthenticated, "no credential is left to ask with", nil)
	}
}

// score says how good it is to use a credential for a URL.
func (f *Forge) score(c *credential, url string, now time.Time) int {
	prefer := 1
	if len(f.credentials) > 1 {
		if authorization := c.lastAuthorization(); authorization != "" && f.answers.knows(url, authorization) {
			prefer = 2
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left(now) * prefer / (1 + c.queue)
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
