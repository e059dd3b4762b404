package keyring

import (
	"cmp"
	"context"
	"errors"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// How long an answer of the store of secrets counts.
const (
	// DefaultFreshFor is how long a value is used without asking again.
	DefaultFreshFor = time.Minute
	// LastFor is how long the last value is used while the store cannot be reached.
	LastFor = 10 * time.Minute
	// askTimeout bounds one question.
	askTimeout = 5 * time.Second
	// noFor is how long an answer without a value counts, so that many endpoints with the same reference ask once.
	noFor = time.Second
)

// ErrUnasked is what [Resolver.Peek] returns for a secret that has to be asked for first.
var ErrUnasked = errors.New("the secret has not been asked for yet")

// Options is what a [Resolver] needs.
type Options struct {
	// Store is asked for what "secret:NAME" stands for; nil when there is none.
	Store secret.Named
	// Allow are patterns over the names that Store may be asked for; * stands for any number of characters. None allows
	// nothing.
	Allow []string
	// Lookup reads the environment; [os.LookupEnv] in a process.
	Lookup func(variable string) (string, bool)
	// Refused are environment variables that endpoints may not refer to although they start with WEBHOOK_: the
	// dispatcher's own settings.
	Refused []string
	// FreshFor is how long a value is used without asking again: a secret that is changed in its store takes effect here
	// after this long. [DefaultFreshFor] when it is 0.
	FreshFor time.Duration
}

// Resolver turns references into secrets. It keeps what it was told for Options.FreshFor, and as long as [LastFor] while the
// store cannot be reached. It is safe for concurrent use.
type Resolver struct {
	options Options
	rules   rules
	kept    *cache
	asking  singleflight.Group
}

// NewResolver checks the patterns of options.
func NewResolver(options Options) (*Resolver, error) {
	rules, err := newRules(options.Allow, options.Refused)
	if err != nil {
		return nil, err
	}
	options.FreshFor = cmp.Or(options.FreshFor, DefaultFreshFor)
	return &Resolver{options: options, rules: rules, kept: newCache()}, nil
}

// FreshFor is how long a value is used without asking again.
func (r *Resolver) FreshFor() time.Duration { return r.options.FreshFor }

// Check returns nil if the reference may be used by endpoints, whether or not there is such a secret. The error is of code
// invalid_argument or permission_denied.
func (r *Resolver) Check(reference string) error { return r.rules.check(reference) }

// Resolve returns what a reference stands for. Errors are an [events.Error] of code invalid_argument, permission_denied,
// not_found, failed_precondition or unavailable, or ctx's.
func (r *Resolver) Resolve(ctx context.Context, reference string) (secret.Value, error) {
	return r.resolve(ctx, reference, r.options.FreshFor)
}

// Refresh is Resolve for who has a value already and wants to know whether it has changed: it asks the store unless that has
// been done a short while ago, for somebody else.
func (r *Resolver) Refresh(ctx context.Context, reference string) (secret.Value, error) {
	return r.resolve(ctx, reference, r.options.FreshFor/2)
}

// Rotated has the next who resolves reference ask the store, because its secret has another value now. What is known counts on as
// long as the store cannot be reached. It reports whether anything is known.
func (r *Resolver) Rotated(reference string) bool {
	known := r.kept.expire(reference)
	r.asking.Forget(reference)
	return known
}

// resolve is Resolve with a value that is no older than is given.
func (r *Resolver) resolve(ctx context.Context, reference string, fresh time.Duration) (secret.Value, error) {
	if err := r.Check(reference); err != nil {
		return secret.Value{}, err
	}
	if !Remote(reference) {
		return r.variable(reference)
	}
	if last, ok := r.kept.get(reference); ok && time.Since(last.asked) < last.counts(fresh) {
		return last.value, last.err
	}
	answer := r.asking.DoChan(reference, func() (any, error) {
		// The answer is for all who wait for it, so that it does not end with the first of them.
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		return r.ask(asking, reference), nil
	})
	select {
	case <-ctx.Done():
		return secret.Value{}, &events.Error{
			Code: events.CodeUnavailable, Retryable: true, Err: ctx.Err(), Message: reference + ": the store of secrets did not answer in time",
		}
	case result := <-answer:
		now, ok := result.Val.(known)
		if !ok {
			return secret.Value{}, errors.New("a question about a secret has no answer")
		}
		return now.value, now.err
	}
}

// Peek is Resolve that does not wait: it returns the last value that is known, be it no longer fresh, or [ErrUnasked].
func (r *Resolver) Peek(_ context.Context, reference string) (secret.Value, error) {
	if err := r.Check(reference); err != nil {
		return secret.Value{}, err
	}
	if !Remote(reference) {
		return r.variable(reference)
	}
	last, ok := r.kept.get(reference)
	if !ok || last.value.IsZero() || time.Since(last.given) >= LastFor {
		return secret.Value{}, ErrUnasked
	}
	return last.value, nil
}

// variable reads the environment.
func (r *Resolver) variable(reference string) (secret.Value, error) {
	_, name := split(reference)
	text, _ := r.options.Lookup(name)
	entry, err := secret.NewEntry(schemeEnv, "", text)
	switch {
	case errors.Is(err, secret.ErrNotFound):
		return secret.Value{}, events.Errorf(events.CodeNotFound, "%s: the dispatcher's environment has no such variable, or it is empty", reference)
	case err != nil:
		return secret.Value{}, events.Errorf(events.CodeFailedPrecondition, "%s: %w", reference, err)
	default:
		return entry.Value, nil
	}
}

// ask asks the store, and keeps what it says.
func (r *Resolver) ask(ctx context.Context, reference string) known {
	now, expiries := known{asked: time.Now()}, r.kept.expiries()
	value, err := r.fetch(ctx, reference)
	last, hasLast := r.kept.get(reference)
	switch {
	case err == nil:
		now.value, now.given = value, now.asked
	case events.CodeOf(err) == events.CodeUnavailable && hasLast && !last.value.IsZero() && now.asked.Sub(last.given) < LastFor:
		now.value, now.given, now.stale = last.value, last.given, true
	default:
		now.err = err
	}
	keep := now
	if r.kept.expiries() != expiries {
		keep.asked = time.Time{}
	}
	r.kept.put(reference, keep)
	return now
}

// fetch asks the store, and says its errors in the words of the contract. The store's own words may tell about its inside:
// they are the cause, which never crosses the bus.
func (r *Resolver) fetch(ctx context.Context, reference string) (secret.Value, error) {
	_, text := split(reference)
	name, err := r.rules.secretName(text)
	if err != nil {
		return secret.Value{}, err
	}
	coded := func(code events.Code, message string) error {
		return &events.Error{Code: code, Message: reference + ": " + message, Retryable: code.Retryable(), Err: err}
	}
	if r.options.Store == nil {
		return secret.Value{}, coded(events.CodeFailedPrecondition, "the dispatcher has no store of secrets to ask")
	}
	entry, err := r.options.Store.Get(ctx, name)
	switch {
	case err == nil && entry.Value.IsZero(), errors.Is(err, secret.ErrNotFound):
		return secret.Value{}, coded(events.CodeNotFound, "no store of secrets has a value of it")
	case errors.Is(err, secret.ErrDenied):
		return secret.Value{}, coded(events.CodePermissionDenied, "the store of secrets does not give it to the dispatcher: both have to be allowed there (SECRETD_CALLERS, SECRETD_ALLOW)")
	case errors.Is(err, secret.ErrUnusable):
		return secret.Value{}, coded(events.CodeFailedPrecondition, "the store of secrets has a value of it that cannot be used")
	case err != nil: // down, too slow, or something nobody foresaw: what was known before is better than nothing
		return secret.Value{}, coded(events.CodeUnavailable, "the store of secrets cannot be asked now")
	default:
		return entry.Value, nil
	}
}
