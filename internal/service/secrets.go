package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/local"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
)

// secrets are the settings of one service that refer to secrets.
type secrets struct {
	settings []*setting
	watcher  *remote.Watcher
	bound    atomic.Bool // every setting has had a content
}

// setting is one of them.
type setting struct {
	config.Reference

	source  secret.Source
	problem func() error // why the source has no content, or an old one
	// These belong to who waits, and then to who tells.
	used secret.Value // what a fixed setting was given
	told bool         // that a fixed setting has another content now
}

// newSecrets says where the settings get their contents from: files are read here, everything else is asked of secretd. If there
// are any, it registers the check "secrets".
func newSecrets(refs []config.Reference, watcher *remote.Watcher, checks *health.Checks) *secrets {
	s := &secrets{watcher: watcher}
	for _, ref := range refs {
		one := &setting{Reference: ref}
		if ref.Secret.Store() == secret.StoreFile {
			file := local.NewFile(ref.Secret.Name())
			one.source, one.problem = file, file.Err
		} else {
			asked := watcher.Follow(ref.Secret.Name())
			one.source, one.problem = asked, asked.Err
		}
		s.settings = append(s.settings, one)
	}
	if len(s.settings) > 0 {
		checks.Register("secrets", s.check)
	}
	return s
}

// missing says which settings have no content, and why; nil when all have one.
func (s *secrets) missing() error {
	var missing []string
	for _, one := range s.settings {
		if one.source.Current() != "" {
			continue
		}
		why := one.problem()
		if why == nil {
			why = errors.New("it is empty")
		}
		missing = append(missing, fmt.Sprintf("%s (%s): %v", one.Setting, one.Secret, why))
	}
	if len(missing) == 0 {
		return nil
	}
	return errors.New(strings.Join(missing, "; "))
}

// check is the health check. A service does not start without its secrets, but one that runs goes on without a secret that was
// taken away, with whatever does not need it.
func (s *secrets) check(context.Context) error {
	err := s.missing()
	switch {
	case err != nil && s.bound.Load():
		return health.Degraded("missing: %w", err)
	case err != nil:
		return fmt.Errorf("missing: %w", err)
	}
	for _, one := range s.settings {
		if err := one.problem(); err != nil {
			return health.Degraded("%s (%s) is used as it was last known: %w", one.Setting, one.Secret, err)
		}
	}
	return nil
}

// wait returns when every setting has a content, and binds it; an error is that of ctx. Whatever stands in the way may be put right
// meanwhile, be it a policy that denies or a secret that is not there: to end would not bring that about any sooner.
func (s *secrets) wait(ctx context.Context, log *slog.Logger) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	said := ""
	for {
		err := s.missing()
		switch {
		case err == nil:
			s.bind()
			if said != "" {
				log.InfoContext(ctx, "every secret that was missing is there")
			}
			return nil
		case err.Error() != said && !strings.Contains(err.Error(), remote.ErrUnasked.Error()):
			said = err.Error()
			log.WarnContext(ctx, "waiting for secrets that settings refer to", "err", err)
		}
		select {
		case <-ticker.C:
		case <-s.watcher.News():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bind gives the settings their contents: for as long as the service runs, or as they are now.
func (s *secrets) bind() {
	for _, one := range s.settings {
		if !one.Fixed {
			one.Secret.Bind(one.source)
			continue
		}
		one.used = secret.NewValue(one.source.Current())
		one.Secret.Bind(fixed{one.used})
	}
	s.bound.Store(true)
}

// tell says, once each, which settings have another content than the service was given, until ctx ends.
func (s *secrets) tell(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.watcher.News():
		}
		for _, one := range s.settings {
			now := one.source.Current()
			if !one.Fixed || one.told || now == "" || now == one.used.Reveal() {
				continue
			}
			one.told = true
			log.WarnContext(ctx, "a secret has another value now, which takes effect with the next start", "setting", one.Setting, "reference", one.Secret.String())
		}
	}
}

// run keeps the contents up to date while the service runs, and returns what it returns. It waits for them first.
func (s *secrets) run(ctx context.Context, b *bus.Bus, log *slog.Logger, serve func() error) error {
	if len(s.settings) == 0 {
		return serve()
	}
	// Until the service has finished its work, which may be after the end of ctx.
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	var keepers errgroup.Group
	defer func() {
		stop()
		_ = keepers.Wait() // its functions return nil, or that the connection is closed, which the service finds out by itself
	}()
	keepers.Go(func() error { return s.watcher.Run(keeping, b) })
	if err := s.wait(ctx, log); err != nil {
		return nil // to be told to stop is no failure
	}
	keepers.Go(func() error {
		s.tell(keeping, log)
		return nil
	})
	return serve()
}

// fixed is a content that stays.
type fixed struct{ value secret.Value }

// Current implements [secret.Source].
func (f fixed) Current() string { return f.value.Reveal() }

// Renew implements [secret.Source].
func (f fixed) Renew(context.Context, string) {}
