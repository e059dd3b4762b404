package remote

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Config is how services ask secretd, as operators set it.
type Config struct {
	Signer  string        `name:"secretd-key" env:"MLSDM_SECRETD_KEY" placeholder:"KEY" help:"Public nkey (U…) of secretd: no other's answers are believed. Without it, the one that secretd publishes in its KV bucket, which only it may write."`
	Refresh time.Duration `name:"secret-refresh" env:"MLSDM_SECRET_REFRESH" default:"5m" placeholder:"DURATION" help:"How often secrets that settings refer to are asked for again, 1s to 24h. A rotation that secretd tells of takes effect at once."`
}

// Bounds of settings.
const (
	minRefresh = time.Second
	maxRefresh = 24 * time.Hour
)

// Validate checks the settings.
func (c Config) Validate() error {
	if c.Signer != "" {
		if err := CheckSigner(c.Signer); err != nil {
			return fmt.Errorf("secretd-key: %w", err)
		}
	}
	if c.Refresh < minRefresh || c.Refresh > maxRefresh {
		return fmt.Errorf("secret-refresh is %s; it must be %s to %s", c.Refresh, minRefresh, maxRefresh)
	}
	return nil
}

// Asker is asked for secrets: a [Client].
type Asker interface {
	Ask(ctx context.Context, q Question) (Answer, error)
}

// Watcher keeps secrets up to date that a process uses. Make one with [NewWatcher], tell it what to [Watcher.Follow], and then
// [Watcher.Run] it.
type Watcher struct {
	asker   Asker
	refresh time.Duration
	log     *slog.Logger
	news    chan struct{}

	mu      sync.Mutex
	secrets []*Secret // in the order in which they were followed
}

// NewWatcher returns a watcher that asks again when refresh has passed, or up to a tenth of it sooner.
func NewWatcher(asker Asker, refresh time.Duration, log *slog.Logger) *Watcher {
	return &Watcher{asker: asker, refresh: refresh, log: log, news: make(chan struct{}, 1)}
}

// Follow returns the secret of a name (or of a reference that secretd resolves), the same for whoever asks for it. It has no
// content until Run has asked. Follow is not called once Run has begun.
func (w *Watcher) Follow(name string) *Secret {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.secrets, func(s *Secret) bool { return s.name == name }); i >= 0 {
		return w.secrets[i]
	}
	s := newSecret(name, w)
	w.secrets = append(w.secrets, s)
	return s
}

// News gets a token when something about one of the secrets has changed since it was read last.
func (w *Watcher) News() <-chan struct{} { return w.news }

// Run asks for what is followed, and listens on b for rotations, until ctx ends; it returns nil then. An error means that the
// connection is closed for good.
func (w *Watcher) Run(ctx context.Context, b *bus.Bus) error {
	group, running := errgroup.WithContext(ctx)
	w.Keep(running, group.Go)
	group.Go(func() error { return Rotations(running, b, w.Rotated, w.Again) })
	return group.Wait()
}

// Keep asks for what is followed until ctx ends, in functions that are handed to start and return nil. It is Run for who hears of
// rotations by himself.
func (w *Watcher) Keep(ctx context.Context, start func(func() error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.secrets {
		start(func() error {
			s.keep(ctx)
			return nil
		})
	}
}

// Rotated has a secret that was rotated asked for now, if it is one of those that are followed.
func (w *Watcher) Rotated(r events.SecretRotated) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.secrets {
		if s.name == r.Name {
			s.rotated(r)
		}
	}
}

// Again has all secrets asked for soon: some rotation was perhaps missed.
func (w *Watcher) Again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.secrets {
		s.wakeUp()
	}
}

// Rotations calls rotated for every secret.rotated event that is published, until ctx ends, when it returns nil. Events that are
// published while the connection is away are missed; so missed is called after each reconnect. Neither may block. An error means
// that the connection is closed for good.
func Rotations(ctx context.Context, b *bus.Bus, rotated func(events.SecretRotated), missed func()) error {
	return b.Listen(ctx, b.Subjects().Event(events.TypeSecretRotated), func(m bus.Heard) {
		event, err := events.FromMessage(b.Subjects(), m.Subject, m.Header, m.Body, events.Stored{})
		if err != nil {
			return // whoever sent it knows that it is none: nobody loses by it
		}
		if r, err := events.Decode[events.SecretRotated](event); err == nil {
			rotated(r)
		}
	}, missed)
}

// notify puts a token into a channel that holds one.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
