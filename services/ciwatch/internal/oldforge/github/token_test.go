package github_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge/github"
)

// rotating is a token that is another one when it is asked for anew.
type rotating struct {
	mu        sync.Mutex
	now, next string
	asked     int
}

// Current implements [secret.Source].
func (r *rotating) Current() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// Renew implements [secret.Source].
func (r *rotating) Renew(context.Context, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	r.now = r.next
}

func TestARefusedTokenIsAskedForAnew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		now, next string
		code      events.Code
		asked     int
	}{
		"rotated":       {"old", canary, "", 1},
		"as it was":     {"old", "old", events.CodeUnauthenticated, 1},
		"still wrong":   {"old", "older", events.CodeUnauthenticated, 1},
		"taken away":    {"old", "", events.CodeUnauthenticated, 1},
		"not there":     {"", canary, events.CodeUnauthenticated, 0},
		"good as it is": {canary, "another", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := &rotating{now: test.now, next: test.next}
			fake, source := serve(t, fakegithub.Options{Token: canary}, github.Config{Token: secret.Live(token)})
			fake.AddRun("success")
			_, err := source.CompletedRuns(t.Context(), 1)
			require.Equal(t, test.code, events.CodeOf(err))
			require.Equal(t, test.asked, token.asked)
			if err != nil {
				require.NotContains(t, err.Error(), "old")
				return
			}
			_, err = source.CompletedRuns(t.Context(), 1)
			require.NoError(t, err)
			require.Equal(t, test.asked, token.asked)
		})
	}
}
