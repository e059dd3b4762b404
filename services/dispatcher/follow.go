package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// followEvery is how often it is looked whether what settings refer to has another content. It asks nobody: contents come by
// themselves, at once after a rotation that secretd tells of.
const followEvery = 250 * time.Millisecond

// followed is settings that are taken over together, and their contents that are in force.
type followed struct {
	names  string
	values []secret.Value
	used   []string
	// apply takes other contents over, or says why it cannot and leaves what was.
	apply func(now []string) error
}

// following keeps the service to what its settings refer to.
type following struct {
	parts []*followed
	log   *slog.Logger

	mu       sync.Mutex
	problems map[string]string // by names
}

// asTheyAre returns the configuration with the contents that its references have now, which do not change any more. All must have
// one: without a proxy that is meant to be, nothing may be posted past it.
func (c Config) asTheyAre() (Config, error) {
	var missing error
	fixed := func(name string, v secret.Value) secret.Value {
		now := secret.NewValue(v.Reveal())
		if v.IsLive() && now.IsZero() {
			missing = fmt.Errorf("%s refers to a secret that has no content", name)
		}
		return now
	}
	c.URL, c.Secret, c.Proxy = fixed("webhook-url", c.URL), fixed("webhook-secret", c.Secret), fixed("webhook-proxy", c.Proxy)
	keys := make([]secret.Value, len(c.SealKeys))
	for i, key := range c.SealKeys {
		keys[i] = fixed("webhook-seal-keys", key)
	}
	c.SealKeys = keys
	return c, missing
}

// newFollowing says which settings are followed, of a service that was made with the contents used. It returns nil when none
// refers to anything.
func (s *Service) newFollowing(used Config) *following {
	f := &following{log: s.log, problems: map[string]string{}}
	add := func(names string, apply func([]string) error, values, used []secret.Value) {
		if slices.ContainsFunc(values, secret.Value.IsLive) {
			f.parts = append(f.parts, &followed{names: names, values: values, used: contents(used), apply: apply})
		}
	}
	// The proxy first: who has moved receivers behind another one wants nothing posted to them through that before.
	add("webhook-proxy", s.followProxy, []secret.Value{s.cfg.Proxy}, []secret.Value{used.Proxy})
	if s.static != nil {
		add("webhook-url, webhook-secret", s.followStatic, []secret.Value{s.cfg.URL, s.cfg.Secret}, []secret.Value{used.URL, used.Secret})
	}
	add("webhook-seal-keys", s.followSealKeys, s.cfg.SealKeys, used.SealKeys)
	if len(f.parts) == 0 {
		return nil
	}
	return f
}

// contents reveals values.
func contents(values []secret.Value) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.Reveal()
	}
	return texts
}

// run follows until ctx ends.
func (f *following) run(ctx context.Context) {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, part := range f.parts {
			f.look(ctx, part)
		}
	}
}

// look takes over what has changed. What cannot be taken over is tried again, as it may be that something else has to change
// first, and said once.
func (f *following) look(ctx context.Context, part *followed) {
	now := contents(part.values)
	if slices.Equal(now, part.used) {
		f.say(part, nil)
		return
	}
	err := part.apply(now)
	if err == nil {
		part.used = now
		f.log.InfoContext(ctx, "what settings refer to has changed, and is in force", "settings", part.names)
	}
	if f.say(part, err) {
		f.log.ErrorContext(ctx, "what settings refer to has changed and cannot be used; what was before stays in force", "settings", part.names, "err", err)
	}
}

// say notes what is wrong with settings, and reports whether that is something and is new.
func (f *following) say(part *followed, err error) (isNew bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.problems, part.names)
		return false
	}
	before := f.problems[part.names]
	f.problems[part.names] = err.Error()
	return before != err.Error()
}

// check is the health check: work goes on with what was before.
func (f *following) check(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for names, problem := range f.problems {
		return health.Degraded("%s: what is referred to has changed and cannot be used; what was before stays in force: %s", names, problem)
	}
	return nil
}

// followProxy posts through another proxy from now on. Without the proxy that there was nothing is posted past it.
func (s *Service) followProxy(now []string) error {
	if now[0] == "" {
		return errors.New("the secret was taken away")
	}
	cfg := s.cfg
	cfg.Proxy = secret.NewValue(now[0])
	guard, err := cfg.guard()
	if err != nil {
		return err
	}
	s.outlet.guard.Store(guard)
	return nil
}

// followStatic makes the configured endpoint another. Without a URL or a secret, which were taken away then, it gets nothing.
func (s *Service) followStatic(now []string) error {
	cfg := s.cfg
	cfg.URL, cfg.Secret = secret.NewValue(now[0]), secret.NewValue(now[1])
	var parts target.Parts
	if slices.Contains(now, "") {
		parts = target.Parts{
			Spec: cfg.staticSpec(), Source: sourceEnvironment,
			Broken: events.Errorf(events.CodeFailedPrecondition, "the secret that webhook-url or webhook-secret refers to was taken away"),
		}
	} else {
		made, err := cfg.static(s.outlet.guard.Load())
		if err != nil {
			return err
		}
		parts = *made
		parts.Client, parts.Keys = s.client, overlapping(parts.Keys[0], s.keys, time.Now())
	}
	e, err := target.New(parts)
	if err != nil {
		return err
	}
	s.keys = parts.Keys
	s.registry.Reconfigure(e)
	return nil
}

// overlapping returns the keys of an endpoint that gets another one: as when the key of any endpoint is rotated, those before sign
// beside it for a while, so that a receiver who learns of it later misses nothing.
func overlapping(key target.Key, before []target.Key, now time.Time) []target.Key {
	keys := []target.Key{key}
	for _, old := range before {
		if len(keys) == events.MaxEndpointKeys || old.BodySecret.Reveal() == key.BodySecret.Reveal() || !old.ExpiresAt.IsZero() && !now.Before(old.ExpiresAt) {
			continue
		}
		if old.ExpiresAt.IsZero() {
			old.ExpiresAt = now.Add(events.DefaultKeyOverlap)
		}
		keys = append(keys, old)
	}
	return keys
}

// followSealKeys seals and opens with other keys from now on, if these open all that those before do.
func (s *Service) followSealKeys(now []string) error {
	keys := make([]secret.Value, len(now))
	for i, text := range now {
		if strings.TrimSpace(text) == "" {
			return errors.New("one of the secrets was taken away")
		}
		keys[i] = secret.NewValue(text)
	}
	sealer, err := keyring.NewSealer(keys)
	if err != nil {
		return err
	}
	return s.registry.ReplaceSealer(sealer)
}
