package secret_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// fixed is a store that always answers the same.
type fixed struct {
	source, value string
	err           error
}

func (f fixed) Source() string { return f.source }

func (f fixed) Get(context.Context, secret.Name) (secret.Entry, error) {
	if f.err != nil {
		return secret.Entry{}, fmt.Errorf("as told: %w", f.err)
	}
	return secret.Entry{Value: secret.NewValue(f.value), Source: f.source}, nil
}

func TestChain(t *testing.T) {
	t.Parallel()
	has, none := fixed{source: "has", value: "v"}, fixed{source: "none", err: secret.ErrNotFound}
	down, denied := fixed{source: "down", err: secret.ErrUnavailable}, fixed{source: "denied", err: secret.ErrDenied}
	for name, test := range map[string]struct {
		chain  secret.Chain
		err    error
		source string // of the value, or of the failure
	}{
		"the first that has it":            {secret.Chain{none, has, fixed{source: "later", value: "w"}}, nil, "has"},
		"nobody":                           {secret.Chain{none, none}, secret.ErrNotFound, ""},
		"no store":                         {nil, secret.ErrNotFound, ""},
		"down is not passed over":          {secret.Chain{none, down, has}, secret.ErrUnavailable, "down"},
		"down at the end is not not-found": {secret.Chain{none, down}, secret.ErrUnavailable, "down"},
		"denied is not passed over":        {secret.Chain{denied, has}, secret.ErrDenied, "denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := secret.ParseName("a")
			require.NoError(t, err)
			entry, err := test.chain.Get(t.Context(), key)
			require.ErrorIs(t, err, test.err)
			if test.err == nil {
				require.Equal(t, test.source, entry.Source)
				return
			}
			var failed *secret.StoreError
			if test.source != "" {
				require.ErrorAs(t, err, &failed)
				require.Equal(t, test.source, failed.Source)
				require.NotErrorIs(t, err, secret.ErrNotFound)
			}
		})
	}
}
