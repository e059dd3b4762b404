package remote

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// askTimeout bounds one question.
	askTimeout = 10 * time.Second
	// confirmAfter is how long after it was said first that a secret is not to be had it is asked for again, before its content
	// is dropped: secretd may just have been started, or its policy be in the middle of a change.
	confirmAfter = time.Second
	// retryAfter is how long after a failure it is asked for again, at first, and retryMax at last; waitMax for who has nothing yet.
	retryAfter = 250 * time.Millisecond
	retryMax   = 30 * time.Second
	waitMax    = 5 * time.Second
	// pushPause is the least time between two questions that events cause: whoever can publish events must not be able to
	// drown secretd in questions.
	pushPause = 250 * time.Millisecond
	// renewPause is the least time between two questions that refused contents cause, which go through to the store. It doubles,
	// up to renewPauseMax, as long as they bring nothing new.
	renewPause    = 2 * time.Second
	renewPauseMax = time.Minute
	// storeTries is how often it is tried to have the store asked, and storePause how long after one try the next is made: secretd
	// asks a store four times a second for one secret, at most.
	storeTries = 5
	storePause = 300 * time.Millisecond
	// jitter is the part of the refresh interval by which a question may come sooner.
	jitter = 0.1
)

// ErrUnasked is what is wrong with a secret that nobody has asked for yet.
var ErrUnasked = errors.New("it was not asked for yet")

// Secret is one secret that a [Watcher] keeps: the [secret.Source] of live values.
//
// A content stays as long as secretd cannot be asked, however long that is: a key that the provider accepts is worth more than
// none, and one that was revoked there is refused there. It is dropped when secretd says, twice, that there is no such secret or
// that it is not for us: that was meant.
type Secret struct {
	name string
	w    *Watcher

	text     atomic.Pointer[string]
	seen     atomic.Bool   // it has had a content
	turn     chan struct{} // holds a token while nobody asks: an earlier answer never comes over a later one
	wake     chan struct{}
	renewing singleflight.Group

	mu       sync.Mutex
	err      error // why the last question has brought no content
	refusals int   // answers in a row that it is not to be had
	pushed   *events.SecretRotated
	renewAt  time.Time
	pause    time.Duration
}

func newSecret(name string, w *Watcher) *Secret {
	s := &Secret{name: name, w: w, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), err: ErrUnasked, pause: renewPause}
	s.turn <- struct{}{}
	return s
}

// Name is what secretd is asked for.
func (s *Secret) Name() string { return s.name }

// Current implements [secret.Source].
func (s *Secret) Current() string {
	if text := s.text.Load(); text != nil {
		return *text
	}
	return ""
}

// Err says why the last question for it has brought no content; what was known before may still be used.
func (s *Secret) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Renew implements [secret.Source]. However many find the same content refused, the store is asked once.
func (s *Secret) Renew(ctx context.Context, refused string) {
	done := s.renewing.DoChan("", func() (any, error) {
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		s.renew(asking, refused)
		return nil, nil
	})
	select {
	case <-ctx.Done():
	case <-done:
	}
}

// renew asks the store, unless that was done a short while ago.
func (s *Secret) renew(ctx context.Context, refused string) {
	s.mu.Lock()
	soon := time.Now().Before(s.renewAt)
	s.mu.Unlock()
	if soon || s.Current() != refused {
		return
	}
	if err := s.askStore(ctx, refused); err != nil {
		notify(s.wake) // which tries again, or confirms it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Current() != refused {
		s.pause = renewPause
		return
	}
	s.renewAt = time.Now().Add(s.pause)
	s.pause = min(2*s.pause, renewPauseMax)
}

// askStore asks past the cache for another content than before. What secretd has of the last moment counts as asked past the
// cache, too, so that many who do so cost the store one question; so it asks twice before it believes that nothing has changed.
func (s *Secret) askStore(ctx context.Context, before string) error {
	same := 0
	for range storeTries {
		wait := storePause
		_, err := s.ask(ctx, true)
		switch {
		case events.CodeOf(err) == events.CodeRateLimited: // what those got who have used up the places may be as good
			if _, err := s.ask(ctx, false); err != nil {
				return err
			}
			wait = min(max(wait, events.AsError(err).RetryAfter), renewPause)
		case err != nil:
			return err
		default:
			same++
		}
		if s.Current() != before || same == 2 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
	return nil
}

// rotated has the secret asked for now.
func (s *Secret) rotated(r events.SecretRotated) {
	s.mu.Lock()
	s.pushed = &r
	s.mu.Unlock()
	s.wakeUp()
}

// wakeUp has it asked for now.
func (s *Secret) wakeUp() { notify(s.wake) }

// keep asks now and then until ctx ends.
func (s *Secret) keep(ctx context.Context) {
	for failures := 0; ; {
		asking, cancel := context.WithTimeout(ctx, askTimeout)
		err := s.update(asking)
		cancel()
		if err == nil {
			failures = 0
		} else {
			failures++
		}
		timer := time.NewTimer(s.wait(failures))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			continue
		case <-s.wake:
		}
		timer.Reset(pushPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// wait is how long after the last question the next one is due.
func (s *Secret) wait(failures int) time.Duration {
	s.mu.Lock()
	refusals := s.refusals
	s.mu.Unlock()
	switch {
	case failures == 0:
		return s.w.refresh - time.Duration(jitter*rand.Float64()*float64(s.w.refresh)) //nolint:gosec // spreads load
	case refusals == 1:
		return confirmAfter
	default:
		longest := min(s.w.refresh, retryMax)
		if !s.seen.Load() {
			longest = min(longest, waitMax)
		}
		return retry.Backoff{Base: retryAfter, Cap: longest, Jitter: retryAfter}.Delay(failures-1, rand.Float64)
	}
}

// update asks for the secret. After a push that is not seen in the answer of the cache, it asks the store.
func (s *Secret) update(ctx context.Context) error {
	s.mu.Lock()
	pushed := s.pushed
	s.pushed = nil
	s.mu.Unlock()
	before := s.Current()
	answer, err := s.ask(ctx, false)
	if err == nil && pushed != nil && s.Current() == before && (pushed.Version == "" || answer.Version != pushed.Version) {
		err = s.askStore(ctx, before)
	}
	if err != nil && pushed != nil {
		s.mu.Lock()
		if s.pushed == nil { // it still has to be seen
			s.pushed = pushed
		}
		s.mu.Unlock()
	}
	return err
}

// ask asks a question and takes the answer in.
func (s *Secret) ask(ctx context.Context, noCache bool) (Answer, error) {
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
	answer, err := s.w.asker.Ask(ctx, Question{Name: s.name, NoCache: noCache})
	s.took(ctx, answer, err)
	return answer, err
}

// took takes an answer in.
func (s *Secret) took(ctx context.Context, answer Answer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer notify(s.w.news)
	before := s.text.Load()
	failed := s.err
	s.err = err
	switch {
	case err == nil:
		s.refusals = 0
		text := answer.Value.Reveal()
		if before == nil || *before != text {
			s.text.Store(&text)
			s.seen.Store(true)
			s.w.log.InfoContext(ctx, "a secret is known", "secret", s.name, "provider", answer.Source, "secret_version", answer.Version, "changed", before != nil)
		} else if failed != nil {
			s.w.log.InfoContext(ctx, "a secret can be asked for again", "secret", s.name)
		}
	case refused(err):
		if s.refusals++; s.refusals == 1 {
			return
		}
		if before != nil {
			s.text.Store(nil)
			s.w.log.WarnContext(ctx, "a secret was taken away; it is used no more", "secret", s.name, "err", err)
		}
	default:
		s.refusals = 0
		if before != nil && failed == nil && !errors.Is(err, context.Canceled) {
			s.w.log.WarnContext(ctx, "a secret cannot be asked for; what is known of it is used on", "secret", s.name, "err", err)
		}
	}
}

// refused reports whether an error is somebody's word that the secret is not to be had, and no failure.
func refused(err error) bool {
	return errors.Is(err, secret.ErrNotFound) || errors.Is(err, secret.ErrDenied) || errors.Is(err, secret.ErrGone)
}
