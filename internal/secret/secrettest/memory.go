package secrettest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Memory is a store that is as a [Provider] is told to be, without one: what stands behind a cache, or behind secretd, in tests.
// Its versions are numbers, 1 for the oldest.
type Memory struct {
	source string
	at     func(key string) secret.Ref

	mu       sync.Mutex
	provider func() Provider // hidden from who prints a Memory
	seen     []string
}

// NewMemory returns a store that has the keys of p where at says. What p refers to is the store's from then on.
func NewMemory(source string, p Provider, at func(key string) secret.Ref) *Memory {
	return &Memory{source: source, provider: func() Provider { return p }, at: at}
}

// Set makes it another provider.
func (m *Memory) Set(p Provider) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.provider = func() Provider { return p }
}

// Rotate gives a key another value.
func (m *Memory) Rotate(key string, to Content) {
	m.mu.Lock()
	defer m.mu.Unlock()
	secrets := m.provider().Secrets
	s := secrets[key]
	s.Versions = append(slices.Clip(s.Versions), to)
	secrets[key] = s
}

// Seen returns what it was asked for so far.
func (m *Memory) Seen() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.seen)
}

// Source implements [secret.Store].
func (m *Memory) Source() string { return m.source }

// Get implements [secret.Store].
func (m *Memory) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	if err := ref.Check(m.source); err != nil {
		return secret.Entry{}, fmt.Errorf("%w: %w", secret.ErrDenied, err)
	}
	if err := ctx.Err(); err != nil {
		return secret.Entry{}, fmt.Errorf("asking the memory: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, ref.String())
	switch m.provider().Condition {
	case Well:
	case Denied, Expired:
		return secret.Entry{}, fmt.Errorf("the memory: %w", secret.ErrDenied)
	case Slow:
		m.mu.Unlock()
		<-ctx.Done()
		m.mu.Lock()
		return secret.Entry{}, fmt.Errorf("asking the memory: %w", ctx.Err())
	case Throttled, Broken, Down, Half, Garbage, Endless, Redirected:
		return secret.Entry{}, fmt.Errorf("the memory: %w", secret.ErrUnavailable)
	}
	return m.find(ref)
}

// find looks for a reference among the secrets.
func (m *Memory) find(ref secret.Ref) (secret.Entry, error) {
	for key, s := range m.provider().Secrets {
		if m.at(key).Path != ref.Path {
			continue
		}
		if s.Gone {
			return secret.Entry{}, fmt.Errorf("the memory: %w", secret.ErrGone)
		}
		version := len(s.Versions)
		if ref.Version != "" {
			n, err := strconv.Atoi(ref.Version)
			if err != nil || n < 1 || n > version {
				break
			}
			version = n
		}
		content := s.Versions[version-1]
		text := content.Text + string(content.Binary)
		if content.Fields != nil {
			encoded, err := json.Marshal(content.Fields)
			if err != nil {
				return secret.Entry{}, fmt.Errorf("the memory: %w", secret.ErrUnusable)
			}
			text = string(encoded)
		}
		text, err := secret.Pick(text, ref.Field)
		if err != nil {
			return secret.Entry{}, err
		}
		return secret.NewEntry(m.source, strconv.Itoa(version), text)
	}
	return secret.Entry{}, fmt.Errorf("the memory: %w", secret.ErrNotFound)
}
