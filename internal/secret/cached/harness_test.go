package cached_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
)

// canary is in every value of these tests, and must be nowhere else.
const canary = "sk-canary-31337"

// fake is a store that answers as it is told.
type fake struct {
	mu     sync.Mutex
	calls  int
	answer func(ctx context.Context, ref secret.Ref) (secret.Entry, error)
}

// Source implements [secret.Store].
func (f *fake) Source() string { return secret.StoreVault }

// Get implements [secret.Store].
func (f *fake) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	f.mu.Lock()
	f.calls++
	answer := f.answer
	f.mu.Unlock()
	return answer(ctx, ref)
}

func (f *fake) set(answer func(ctx context.Context, ref secret.Ref) (secret.Entry, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// taken returns how often the store was asked since it was last taken.
func (f *fake) taken() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.calls
	f.calls = 0
	return n
}

// gives answers with a version.
func gives(version string) func(context.Context, secret.Ref) (secret.Entry, error) {
	return func(context.Context, secret.Ref) (secret.Entry, error) {
		return secret.NewEntry(secret.StoreVault, version, canary+version)
	}
}

// lends answers with a version that ends.
func lends(version string, lease time.Duration) func(context.Context, secret.Ref) (secret.Entry, error) {
	return func(context.Context, secret.Ref) (secret.Entry, error) {
		entry, err := secret.NewEntry(secret.StoreVault, version, canary+version)
		entry.ExpiresAt = time.Now().Add(lease)
		return entry, err
	}
}

// fails answers with an error.
func fails(err error) func(context.Context, secret.Ref) (secret.Entry, error) {
	return func(context.Context, secret.Ref) (secret.Entry, error) {
		return secret.Entry{}, fmt.Errorf("as told: %w", err)
	}
}

// hangs answers when the call ends.
func hangs(ctx context.Context, _ secret.Ref) (secret.Entry, error) {
	<-ctx.Done()
	return secret.Entry{}, fmt.Errorf("as told: %w", ctx.Err())
}

// witness writes down what it is told: R, U, C and P, for rotated, unavailable, recovered, purged.
type witness struct {
	mu     sync.Mutex
	heard  []string
	detail []string
	cache  *cached.Cache // asked something by each call: none may be made under a lock
}

func (w *witness) hear(what string, ref secret.Ref, detail string) {
	w.cache.Look(ref)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, what)
	w.detail = append(w.detail, what+" "+ref.String()+" "+detail)
}

// Rotated implements [cached.Observer].
func (w *witness) Rotated(ref secret.Ref, previous, current string) {
	w.hear("R", ref, previous+">"+current)
}

// Unavailable implements [cached.Observer].
func (w *witness) Unavailable(ref secret.Ref, since time.Time, err error) {
	w.hear("U", ref, since.UTC().Format(time.TimeOnly)+" "+err.Error())
}

// Recovered implements [cached.Observer].
func (w *witness) Recovered(ref secret.Ref) { w.hear("C", ref, "") }

// Purged implements [cached.Observer].
func (w *witness) Purged(ref secret.Ref, err error) { w.hear("P", ref, err.Error()) }

// taken returns what was heard since it was last taken; "-" is nothing.
func (w *witness) taken() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	heard := strings.Join(w.heard, "")
	w.heard = nil
	if heard == "" {
		return "-"
	}
	return heard
}

// details returns all that was ever heard.
func (w *witness) details() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.detail...)
}

// world is a cache over one store, in a bubble of fake time.
type world struct {
	*cached.Cache

	store *fake
	saw   *witness
	log   *bytes.Buffer // read it when everything is at rest
}

// inBubble runs a test in fake time.
func inBubble(t *testing.T, cfg cached.Config, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{store: &fake{answer: gives("1")}, saw: &witness{}, log: &bytes.Buffer{}}
		cfg.Log = slog.New(slog.NewTextHandler(w.log, nil))
		var err error
		w.Cache, err = cached.New(map[string]secret.Store{secret.StoreVault: w.store}, cfg, w.saw)
		require.NoError(t, err)
		t.Cleanup(w.Close) // also of a test that fails
		w.saw.cache = w.Cache
		test(t, w)
		w.Close()
		require.NotContains(t, w.log.String(), canary)
		require.NotContains(t, fmt.Sprint(w.saw.details()), canary)
	})
}

// pass lets time pass, and what was to happen in it.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// ref is the reference of most tests.
func ref() secret.Ref {
	return secret.Ref{Store: secret.StoreVault, Path: "mlsdm/openai", Field: "api_key"}
}

// other is one of many.
func other(n int) secret.Ref {
	return secret.Ref{Store: secret.StoreVault, Path: fmt.Sprintf("other/%d", n)}
}

// got is what a Get returned, in a word: v and the version, with ~ when it is stale, or what kind of error it was.
func got(found cached.Found, err error) string {
	switch {
	case err == nil && (found.Value.Reveal() != canary+found.Version || found.Source != secret.StoreVault):
		return "a value that is not of its version, or of no store"
	case err == nil && found.Stale:
		return "v" + found.Version + "~"
	case err == nil:
		return "v" + found.Version
	case strings.Contains(err.Error(), canary) || !found.Value.IsZero():
		return "an error that holds the value, or comes with it"
	}
	for _, kind := range []struct {
		err  error
		word string
	}{
		{cached.ErrTooOften, "limited"},
		{secret.ErrNotFound, "none"},
		{secret.ErrGone, "gone"},
		{secret.ErrDenied, "denied"},
		{secret.ErrUnusable, "unusable"},
		{secret.ErrUnavailable, "down"},
		{context.Canceled, "left"},
	} {
		if errors.Is(err, kind.err) {
			return kind.word
		}
	}
	return err.Error()
}

// get asks for the reference, as got says.
func (w *world) get(ctx context.Context, o cached.Options) string { return got(w.Get(ctx, ref(), o)) }
