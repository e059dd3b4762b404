package secret_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// asked is what stands behind references: an error, or a value if it is nil. It remembers who was asked.
type asked struct {
	answers map[string]error // by the reference's path
	log     []string
}

// get is what [secret.Walk] asks.
func (a *asked) get(_ context.Context, ref secret.Ref) (secret.Entry, error) {
	a.log = append(a.log, ref.Path)
	if err := a.answers[ref.Path]; err != nil {
		return secret.Entry{}, fmt.Errorf("as told: %w", err)
	}
	return secret.Entry{Value: secret.NewValue("value of " + ref.Path)}, nil
}

func TestWalk(t *testing.T) {
	t.Parallel()
	unknown := errors.New("something new")
	answers := map[string]error{
		"none": secret.ErrNotFound, "none2": secret.ErrNotFound, "down": secret.ErrUnavailable, "down2": secret.ErrUnavailable,
		"denied": secret.ErrDenied, "gone": secret.ErrGone, "unusable": secret.ErrUnusable, "unknown": unknown,
	}
	for name, test := range map[string]struct {
		refs  []string
		err   error
		at    string // who had it, or ended the walk
		asked int
	}{
		"the first that has it":            {[]string{"none", "has", "later"}, nil, "has", 2},
		"the first of all":                 {[]string{"has", "down"}, nil, "has", 1},
		"nobody":                           {[]string{"none", "none2"}, secret.ErrNotFound, "", 2},
		"no references":                    {nil, secret.ErrNotFound, "", 0},
		"down is passed over":              {[]string{"none", "down", "has"}, nil, "has", 3},
		"down is remembered":               {[]string{"down", "none"}, secret.ErrUnavailable, "", 2},
		"down at the end is not not-found": {[]string{"none", "down"}, secret.ErrUnavailable, "", 2},
		"all down":                         {[]string{"down", "down2"}, secret.ErrUnavailable, "", 2},
		"denied ends it":                   {[]string{"none", "denied", "has"}, secret.ErrDenied, "denied", 2},
		"denied behind one that is down":   {[]string{"down", "denied", "has"}, secret.ErrDenied, "denied", 2},
		"gone ends it":                     {[]string{"gone", "has"}, secret.ErrGone, "gone", 1},
		"unusable ends it":                 {[]string{"unusable", "has"}, secret.ErrUnusable, "unusable", 1},
		"what nobody knows ends it":        {[]string{"unknown", "has"}, unknown, "unknown", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := asked{answers: answers}
			refs := make([]secret.Ref, len(test.refs))
			for i, path := range test.refs {
				refs[i] = secret.Ref{Store: "store-of-" + path, Path: path}
			}
			entry, at, err := secret.Walk(t.Context(), refs, a.get)
			require.ErrorIs(t, err, test.err)
			require.Equal(t, test.at, at.Path)
			require.Len(t, a.log, test.asked)
			if test.err == nil {
				require.Equal(t, "value of "+test.at, entry.Value.Reveal())
				require.Equal(t, "store-of-"+test.at, entry.Source, "the entry names the source")
				return
			}
			require.True(t, entry.Value.IsZero())
			var failed *secret.StoreError
			if errors.Is(test.err, secret.ErrNotFound) {
				require.NotErrorAs(t, err, &failed)
				return
			}
			require.NotErrorIs(t, err, secret.ErrNotFound)
			require.ErrorAs(t, err, &failed)
			for _, path := range test.refs {
				if answers[path] != nil && errors.Is(answers[path], test.err) {
					require.ErrorContains(t, err, "store-of-"+path+": as told")
				}
			}
		})
	}
}

// A source that an entry has is not written over: secretd's is that of the store behind it.
func TestWalkKeepsTheSource(t *testing.T) {
	t.Parallel()
	entry, _, err := secret.Walk(t.Context(), []secret.Ref{{Store: "a"}}, func(context.Context, secret.Ref) (secret.Entry, error) {
		return secret.Entry{Source: "b"}, nil
	})
	require.NoError(t, err)
	require.Equal(t, "b", entry.Source)
}

// Who has gone is not told that the stores are down, and those behind are not asked.
func TestWalkEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	_, at, err := secret.Walk(ctx, []secret.Ref{{Store: "a"}, {Store: "b"}}, func(ctx context.Context, _ secret.Ref) (secret.Entry, error) {
		calls++
		cancel()
		return secret.Entry{}, ctx.Err()
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "a", at.Store)
	require.Equal(t, 1, calls)
}
