package secretd

import (
	"context"
	"log/slog"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/ledger"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/rules"
)

// Replace puts a store in the place of one that has not been used yet.
func (s *Service) Replace(store secret.Store) {
	s.stores[store.Source()].open = func() (secret.Store, error) { return store, nil }
}

// Ask looks for a secret that the operator has named, as a get does.
func (s *Service) Ask(ctx context.Context, name string) error {
	t, _ := configured(s.rules.Load(), target{text: name})
	a, err := s.resolve(ctx, t, false)
	if err == nil {
		s.note(t, a, false)
	}
	return err
}

// AskAnew looks for a secret that the operator has named, as a refresh does.
func (s *Service) AskAnew(ctx context.Context, name string) error {
	t, _ := configured(s.rules.Load(), target{text: name})
	_, err := s.resolveAnew(ctx, t, time.Now())
	return err
}

// Looks gives secrets as a file of rules says, without a bus, until Finish; what it knows is refreshed until ctx ends. It is for
// tests whose time is not real.
func Looks(ctx context.Context, text string, store secret.Store) (*Service, error) {
	now, err := rules.Parse("rules", []byte(text))
	if err != nil {
		return nil, err
	}
	s := &Service{log: slog.New(slog.DiscardHandler), renew: make(chan ledger.Entry, 1)}
	s.rules.Store(now)
	s.ledger = ledger.New(nil, source, s.log, s.learned)
	s.cache, err = cached.New(map[string]secret.Store{store.Source(): store}, cached.Config{Interval: pastCacheEvery}, observer{s})
	if err != nil {
		return nil, err
	}
	s.life, s.end = context.WithCancel(context.Background())
	go func() { _ = s.cache.Run(ctx) }() // returns nil
	return s, nil
}

// Finish is the end of what is known.
func (s *Service) Finish() { s.forget() }

// Changes returns what reports whether there is another file of rules to be read.
func Changes(path string) (changed func() bool) { return newReload(Config{File: path}).changed }
