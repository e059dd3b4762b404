package gitlab

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

const (
	firstAside = 10 * time.Second // a credential that is refused is tried again after so much, then after twice
	maxAside   = 15 * time.Minute // as much, and so on up to here
)

// credential is one of those that requests are made with: its limits and its faults.
type credential struct {
	name  string
	forge *Forge
	value secret.Value

	mu    sync.Mutex
	quota forge.Quota

	rest time.Time // nothing is asked before

	aside    time.Time // it was refused, and is not used before
	refusals int       // in a row
	refused  fingerprint
	why      *events.Error
}

// fingerprint tells apart the tokens that were sent, without keeping them.
type fingerprint [sha256.Size]byte

func fingerprintOf(token string) fingerprint { return sha256.Sum256([]byte(token)) }

func newCredential(name string, value secret.Value, f *Forge) *credential {
	return &credential{name: name, forge: f, value: value, quota: forge.Quota{Credential: name}}
}

// anonymous reports that it is none.
func (c *credential) anonymous() bool { return c.value.IsZero() }

// token returns the token of now; it is empty for no credential.
func (c *credential) token() (string, *events.Error) {
	if c.anonymous() {
		return "", nil
	}
	text := strings.TrimSpace(c.value.Reveal()) // files of secrets end in a newline
	if text == "" {
		return "", c.forge.failed(events.CodeUnauthenticated, c.name+": there is no token now: the store of secrets does not give it", nil)
	}
	if !isToken(text) {
		return "", c.forge.failed(events.CodeUnauthenticated, c.name+": what is given as a token is none: it has spaces or other characters that a token has not", nil)
	}
	return text, nil
}

// renewed returns another token than the one that was refused, if there is one now.
func (c *credential) renewed(ctx context.Context, refused string) (string, bool) {
	if c.anonymous() {
		return "", false
	}
	if raw := c.value.Reveal(); strings.TrimSpace(raw) == refused { // otherwise it has changed while the request was made
		c.value.Renew(ctx, raw)
	}
	fresh, err := c.token()
	return fresh, err == nil && fresh != refused
}

// isToken reports whether text can stand in a header as a token.
func isToken(text string) bool {
	const most = 4 << 10
	return len(text) <= most && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// setAside has the credential not be used for a while, since GitLab does not accept it.
func (c *credential) setAside(now time.Time, refused string, why *events.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aside = now.Add(min(firstAside<<min(c.refusals, 8), maxAside))
	c.refusals++
	c.refused, c.why = fingerprintOf(refused), why
}

// accepted notes that GitLab took the credential and answered.
func (c *credential) accepted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals, c.aside, c.why = 0, time.Time{}, nil
}

// problem returns why the credential is not used.
func (c *credential) problem() (Problem, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == nil {
		return Problem{}, false
	}
	return Problem{Name: c.name, Err: c.why, Until: c.aside}, true
}

// usable reports whether the credential may be used now: it was not set aside, or for long enough, or it has changed since.
func (c *credential) usable(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !now.Before(c.aside) {
		return true
	}
	text := strings.TrimSpace(c.value.Reveal())
	return text != "" && fingerprintOf(text) != c.refused
}
