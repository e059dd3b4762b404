package github

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

const (
	writeGap   = time.Second      // GitHub asks for at least so much between two writes
	firstAside = 10 * time.Second // a credential that is refused is tried again after so much, then after twice
	maxAside   = 15 * time.Minute // as much, and so on up to here
)

// credential is one of those that requests are made with: its limits and its faults. Its requests are made one at a time, as
// GitHub wants it.
type credential struct {
	name  string
	forge *Forge
	token secret.Value
	app   *installation
	turn  chan struct{} // holds one token: whoever has it makes a request

	mu      sync.Mutex
	quota   forge.Quota
	queue   int // requests that wait or are made
	written time.Time

	rest    time.Time // nothing is asked before
	strikes int       // secondary limits in a row

	aside    time.Time // it was refused, and is not used before
	refusals int       // in a row
	refused  fingerprint
	why      *events.Error
}

func newCredential(name string, c Credential, f *Forge) *credential {
	made := &credential{name: name, forge: f, token: c.Token, turn: make(chan struct{}, 1), quota: forge.Quota{Credential: name}}
	if c.App != nil {
		made.app = newInstallation(*c.App, f)
	}
	return made
}

// anonymous reports that it is none.
func (c *credential) anonymous() bool { return c.app == nil && c.token.IsZero() }

// enqueue notes that so many more wait for the credential, or use it.
func (c *credential) enqueue(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue += n
}

// acquire waits for the turn of who chose the credential. Whether it comes or not, release follows.
func (c *credential) acquire(ctx context.Context) (release func(), err error) {
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn; c.enqueue(-1) }, nil
	case <-ctx.Done():
		return func() { c.enqueue(-1) }, ctx.Err()
	}
}

// spaceWrites waits until a second has passed since the last write.
func (c *credential) spaceWrites(ctx context.Context) error {
	c.mu.Lock()
	wait := min(c.written.Add(writeGap).Sub(c.forge.now()), writeGap)
	c.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wrote notes that a write has been made.
func (c *credential) wrote() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = c.forge.now()
}

// authorization returns the Authorization header of now; it is empty for no credential.
func (c *credential) authorization(ctx context.Context) (string, error) {
	if c.anonymous() {
		return "", nil
	}
	text := c.token.Reveal()
	if c.app != nil {
		var err error
		if text, err = c.app.current(ctx); err != nil {
			return "", err
		}
	}
	text = strings.TrimSpace(text) // files of secrets end in a newline
	if text == "" {
		return "", c.forge.failed(events.CodeUnauthenticated, c.name+": there is no token now: the store of secrets does not give it", nil)
	}
	if !isToken(text) {
		return "", c.forge.failed(events.CodeUnauthenticated, c.name+": what is given as a token is none: it has spaces or other characters that a token has not", nil)
	}
	return "Bearer " + text, nil
}

// unready has the credential not be used for a while if it has no token to ask with and nobody to give it one, and says what its
// failure means.
func (c *credential) unready(now time.Time, why *events.Error) verdict {
	switch why.Code {
	case events.CodeUnauthenticated:
		c.setAside(now, "", why)
		return refused
	case events.CodeRateLimited:
		return c.restFor(now, why.RetryAfter)
	default:
		return fine
	}
}

// lastAuthorization returns the Authorization header as it would be without asking anybody.
func (c *credential) lastAuthorization() string {
	text := c.token.Reveal()
	if c.app != nil {
		text = c.app.last()
	}
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	return "Bearer " + text
}

// renewed returns another Authorization header than the one that was refused, if there is one now.
func (c *credential) renewed(ctx context.Context, refused string) (string, bool) {
	switch raw := c.token.Reveal(); {
	case c.anonymous():
		return "", false
	case c.app != nil:
		c.app.forget()
	case "Bearer "+strings.TrimSpace(raw) == refused: // otherwise it has changed while the request was made
		c.token.Renew(ctx, raw)
	}
	fresh, err := c.authorization(ctx)
	return fresh, err == nil && fresh != refused
}

// isToken reports whether text can stand in a header as a token.
func isToken(text string) bool {
	const most = 4 << 10
	return len(text) <= most && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
