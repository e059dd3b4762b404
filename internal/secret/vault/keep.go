package vault

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// keep renews the token of a session at two thirds of its time, until it cannot be renewed any more; then it replaces it, so
// that nobody has to wait for that.
func (t *tokens) keep(ctx context.Context, s *session) {
	for {
		term, renewable := s.state()
		if !pause(ctx, term.left()*2/3) {
			return
		}
		if !renewable || !t.renew(ctx, s) {
			break
		}
	}
	for ctx.Err() == nil && t.now() == s && !s.ended() {
		_, err := t.replace(ctx, s)
		if err == nil || ctx.Err() != nil {
			return
		}
		t.log.WarnContext(ctx, "there is no new token of vault yet", "token_ends", s.until(), "err", err)
		term, _ := s.state()
		wait := term.again()
		if !s.own { // somebody has to bring one, and that is read when it is needed
			wait = max(term.left()/6, time.Second)
		}
		pause(ctx, wait)
	}
}

// renew renews a token, and reports whether it is worth renewing again. What may pass is tried again while the token lasts.
func (t *tokens) renew(ctx context.Context, s *session) bool {
	for !s.ended() {
		asked := time.Now()
		a, err := t.wire.write(ctx, s.token, "auth/token/renew-self", nil)
		switch {
		case err == nil && a.ok() && a.Auth != nil && a.Auth.LeaseDuration > 0:
			s.extend(asked, *a.Auth)
			term, renewable := s.state()
			return renewable && !term.shrinks()
		case err == nil && refused(a): // it has ended, or may not renew itself: another one is good in both cases
			return false
		case err == nil:
			err = a.refusal()
		}
		if ctx.Err() != nil {
			return false
		}
		t.log.WarnContext(ctx, "a token of vault could not be renewed yet", "token_ends", s.until(), "err", err)
		term, _ := s.state()
		pause(ctx, term.again())
	}
	return false
}

// revoke gives our own tokens back, and with each of them all that was lent to it. It returns the sessions that remain: of
// tokens that are not ours, or that could not be revoked, which is no error where such a token cannot be.
func (t *tokens) revoke(ctx context.Context) (remain []*session, err error) {
	t.mu.Lock()
	all := slices.DeleteFunc(append(t.old, t.current), func(s *session) bool { return s == nil || s.ended() })
	t.current, t.old = nil, nil
	t.mu.Unlock()
	for _, s := range all {
		if !s.own {
			remain = append(remain, s)
			continue
		}
		a, failed := t.wire.write(ctx, s.token, "auth/token/revoke-self", nil)
		switch {
		case failed == nil && a.ok():
			s.kill()
			continue
		case failed == nil && a.status != http.StatusForbidden && a.status != http.StatusBadRequest:
			failed = a.refusal()
		}
		remain = append(remain, s)
		if failed != nil {
			err = fmt.Errorf("revoking a token of vault: %w", failed)
		}
	}
	return remain, err
}
