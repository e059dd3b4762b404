package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

const lookupSelf = "auth/token/lookup-self"

const (
	// loginEvery is how often at most a token that may not look at itself is replaced when Vault refuses it: it may have ended,
	// or only the path is forbidden.
	loginEvery = time.Minute
	// refusedFirst and refusedMost are how long credentials that Vault refuses are not sent again; each time twice as long.
	// Vault locks out who tries too often.
	refusedFirst = 5 * time.Second
	refusedMost  = 5 * time.Minute
)

// tokens is who we are to Vault: one session at a time, kept alive, and replaced when it ends or is refused.
type tokens struct {
	wire     wire
	life     *lifetime
	log      *slog.Logger
	auth     string
	gatherer gatherer // used by one login at a time
	// replaced is told of a session that has been replaced.
	replaced func(old *session)

	flight singleflight.Group

	mu      sync.Mutex
	current *session
	old     []*session // replaced, but perhaps still good
	refused struct {
		digest [sha256.Size]byte
		until  time.Time
		wait   time.Duration
	}
}

// get returns a session, after a login if there is none.
func (t *tokens) get(ctx context.Context) (*session, error) {
	if s := t.now(); s != nil && !s.ended() {
		return s, nil
	}
	return t.replace(ctx, t.now())
}

// now returns the current session, or nil.
func (t *tokens) now() *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

// doubt is for a session with which Vault has answered 403. It returns another session that is worth one more try, or the same
// when it is good and the answer was meant.
func (t *tokens) doubt(ctx context.Context, s *session) (*session, error) {
	if now := t.now(); now != s {
		return t.get(ctx)
	}
	if s.own && s.blind && !s.ended() && time.Since(s.since) < loginEvery {
		return s, nil
	}
	if !s.blind {
		if err := t.check(ctx, s); err != nil {
			return nil, err
		}
		if !s.ended() {
			return s, nil
		}
	}
	return t.replace(ctx, s)
}

// check asks whether Vault still accepts a session's token, and notes it when it does not.
func (t *tokens) check(ctx context.Context, s *session) error {
	if s.ended() || s.blind {
		return nil
	}
	a, err := t.wire.read(ctx, s.token, lookupSelf, nil)
	switch {
	case err != nil:
		return err
	case a.status == http.StatusForbidden:
		s.kill()
	case !a.ok(): // who knows
		return a.refusal()
	}
	return nil
}

// replace returns a session that is not old, which nil never is: that of the login that runs already, or of a new one. The
// login goes on when ctx ends, for the others who wait for it.
func (t *tokens) replace(ctx context.Context, old *session) (*session, error) {
	for {
		flight := t.flight.DoChan("", func() (any, error) {
			if now := t.now(); now != nil && now != old && !now.ended() {
				return now, nil
			}
			if !t.life.begin() {
				return nil, errClosed
			}
			defer t.life.all.Done()
			return t.login(t.life.work, old)
		})
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("logging in to vault: %w", ctx.Err())
		case result := <-flight:
			if result.Err != nil {
				return nil, result.Err
			}
			if s, ok := result.Val.(*session); ok && s != old { // else somebody waited for one that has been refused since
				return s, nil
			}
		}
	}
}

// login logs in, and makes what it gains the current session. One runs at a time.
func (t *tokens) login(ctx context.Context, old *session) (*session, error) {
	c, err := t.gatherer.gather()
	if err != nil {
		return nil, err
	}
	if wait := t.refusedFor(c); wait > 0 {
		return nil, fmt.Errorf("%w: vault refused to let us log in by %s; the same credentials are tried again in %s",
			secret.ErrDenied, t.auth, wait.Round(time.Second))
	}
	var s *session
	switch {
	case c.token.IsZero():
		s, err = t.send(ctx, c)
	case old != nil && old.token.Reveal() == c.token.Reveal():
		s, err = t.lookAgain(ctx, c, old)
	default:
		s, err = t.look(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	if s.own && old != nil && (old.blind || old.isDead()) { // was it the token, or may it not look at itself?
		a, err := t.wire.read(ctx, s.token, lookupSelf, nil)
		s.blind = err == nil && a.status == http.StatusForbidden
	}
	t.mu.Lock()
	t.current, t.refused.wait, t.refused.until = s, 0, time.Time{}
	t.old = slices.DeleteFunc(append(t.old, old), func(s *session) bool { return s == nil || s.ended() })
	t.mu.Unlock()
	if old != nil {
		t.replaced(old)
	}
	if !s.until().IsZero() {
		t.life.keeper(func(ctx context.Context) { t.keep(ctx, s) })
	}
	t.log.InfoContext(ctx, "logged in to vault", "auth", t.auth, "token_ends", s.until())
	return s, nil
}

// send asks for a token.
func (t *tokens) send(ctx context.Context, c credentials) (*session, error) {
	if err := t.gatherer.open(ctx, c); err != nil {
		if errors.Is(err, secret.ErrDenied) {
			t.refuse(c)
			t.log.WarnContext(ctx, "there is no way to log in to vault", "auth", t.auth, "err", err)
		}
		return nil, err
	}
	asked := time.Now()
	a, err := t.wire.write(ctx, secret.Value{}, c.path, c.revealed())
	if err != nil {
		return nil, err
	}
	switch {
	case refused(a):
		t.refuse(c)
		t.log.WarnContext(ctx, "vault refuses to let us log in", "auth", t.auth, "status", a.status)
		return nil, fmt.Errorf("%w: vault answers %d to a login by %s", secret.ErrDenied, a.status, t.auth)
	case !a.ok():
		return nil, a.refusal()
	case a.Auth == nil || a.Auth.ClientToken.IsZero(): // such as one that asks for a second factor
		return nil, fmt.Errorf("%w: vault answers a login by %s without a token", secret.ErrDenied, t.auth)
	}
	return &session{
		token: a.Auth.ClientToken, own: true, since: asked,
		term: granted(asked, a.Auth.LeaseDuration), renewable: a.Auth.Renewable,
	}, nil
}

// look makes a session of a token that we were given, and asks how long it lasts. A token that may not know lasts until it is
// refused.
func (t *tokens) look(ctx context.Context, c credentials) (*session, error) {
	asked := time.Now()
	a, err := t.wire.read(ctx, c.token, lookupSelf, nil)
	if err != nil {
		return nil, err
	}
	s := &session{token: c.token, since: asked}
	if a.status == http.StatusForbidden {
		s.blind = true
		return s, nil
	}
	if !a.ok() {
		return nil, a.refusal()
	}
	var about struct {
		TTL       int64 `json:"ttl"` // seconds; 0 is for ever
		Renewable bool  `json:"renewable"`
	}
	if err := a.into(&about); err != nil {
		return nil, err
	}
	s.term, s.renewable = granted(asked, about.TTL), about.Renewable
	return s, nil
}

// lookAgain is for a token that we have had already: it may last longer than it seemed, when somebody else renews it.
func (t *tokens) lookAgain(ctx context.Context, c credentials, old *session) (*session, error) {
	denied := fmt.Errorf("%w: vault refuses the token", secret.ErrDenied)
	if old.isDead() {
		t.refuse(c)
		return nil, denied
	}
	s, err := t.look(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case s.blind && !old.blind:
		t.refuse(c)
		return nil, denied
	case s.blind: // who knows whether it is the token, or what it was used for
		return nil, denied
	case !old.ended() && !s.until().After(old.until().Add(time.Second)):
		return nil, fmt.Errorf("%w: there is no newer token", secret.ErrUnavailable)
	}
	return s, nil
}

// refused reports whether a login, or what leads to it, was answered with a no that will not become a yes by itself.
func refused(a answer) bool {
	switch a.status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusNotFound: // nothing is mounted there
		return a.genuine()
	case http.StatusInternalServerError: // so answers AppRole of Vault 1.14.0
		return len(a.Errors) == 1 && strings.HasPrefix(a.Errors[0], "invalid ")
	default:
		return false
	}
}

// refuse notes that Vault refuses credentials.
func (t *tokens) refuse(c credentials) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused.digest != c.digest {
		t.refused.wait = 0
	}
	t.refused.digest = c.digest
	t.refused.wait = min(max(2*t.refused.wait, refusedFirst), refusedMost)
	t.refused.until = time.Now().Add(t.refused.wait)
}

// refusedFor returns how long credentials are not sent, which were refused before.
func (t *tokens) refusedFor(c credentials) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused.digest != c.digest {
		return 0
	}
	return time.Until(t.refused.until)
}
