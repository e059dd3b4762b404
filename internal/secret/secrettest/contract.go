package secrettest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Contract is the suite of a store: one row a behaviour.
type Contract struct {
	// Source is what entries must name.
	Source string
	// Start makes a provider that holds and behaves as told, and a store that asks it. Tests run in parallel.
	Start func(t *testing.T, p Provider) Subject
	// Lacks are the rows that this store cannot have, each with why.
	Lacks map[Row]string
}

// Provider is what stands behind a store in one test.
type Provider struct {
	Condition Condition
	// Secrets are what it holds, by keys which are logical names; see [secret.Name].
	Secrets map[string]Secret
}

// Secret is what a provider holds under one key.
type Secret struct {
	// Versions are its values, the oldest first and the current one last.
	Versions []Content
	// Gone is that somebody deleted or disabled it.
	Gone bool
}

// Content is one value. One of its fields is set, or none for an empty text.
type Content struct {
	Text string
	// Binary is what the provider keeps as bytes, where it tells them from text.
	Binary []byte
	// Fields are texts, or else what a field can hold but a text.
	Fields map[string]any
}

// Condition is how a provider is.
type Condition int

// The conditions. All but Well are about every secret, whether the provider has it or not.
const (
	Well       Condition = iota // it answers
	Denied                      // our credentials do not reach so far
	Expired                     // our credentials have expired
	Throttled                   // it has had enough of us for an hour
	Broken                      // it fails: 500 and so on
	Down                        // nobody listens there
	Slow                        // it never answers
	Half                        // its answer ends in the middle
	Garbage                     // its answer is not one of its answers
	Endless                     // its answer does not end
	Redirected                  // it sends us elsewhere
)

// Subject is a store over a provider. It has either Store and At, or Named.
type Subject struct {
	Store secret.Store
	// At says where the provider has a key.
	At func(key string) secret.Ref
	// Named is a store that knows keys, and neither fields nor versions.
	Named secret.Named
	// Version is what the provider calls a version of a key, 0 for the oldest; nil where it has none.
	Version func(key string, n int) string
	// Rotate gives a key another value, as somebody would at the provider.
	Rotate func(key string, to Content)
	// Wire is the provider, where it is asked over HTTP.
	Wire *Wire
	// Seen returns what has reached the provider so far, where there is no Wire. What it holds is compared only.
	Seen func() []string
}

// seen returns what has reached the provider.
func (s Subject) seen() []string {
	switch {
	case s.Wire != nil:
		return s.Wire.Seen()
	case s.Seen != nil:
		return s.Seen()
	default:
		return nil
	}
}

// Run runs the rows.
func (c Contract) Run(t *testing.T) {
	t.Helper()
	known := map[Row]bool{}
	for _, r := range rows() {
		known[r.name] = true
	}
	for name, why := range c.Lacks {
		require.True(t, known[name], "there is no row %q", name)
		require.NotEmpty(t, why, "%q is lacking, and nobody says why", name)
	}
	for _, r := range rows() {
		if c.Lacks[r.name] != "" {
			continue
		}
		t.Run(string(r.name), func(t *testing.T) {
			t.Parallel()
			r.run(t, c)
		})
	}
}
