package github_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

// TestETagsOfManyTokens: with ETags that cannot be reckoned, those of each credential are remembered, and what is remembered ends.
func TestETagsOfManyTokens(t *testing.T) {
	t.Parallel()
	token := &rotating{}
	fake, f := serve(t, fakegithub.Options{OtherETags: true}, github.Config{Credentials: []github.Credential{{Token: secret.Live(token)}}})
	fake.AddRun("success")
	const many = 30
	for i := range many {
		token.set(fmt.Sprintf("token-%d", i))
		for again := range 2 {
			page, err := list(t, f)
			require.NoError(t, err)
			require.Equal(t, again == 1, page.NotModified)
		}
	}
	for i := many - 3; i < many; i++ {
		token.set(fmt.Sprintf("token-%d", i))
		page, err := list(t, f)
		require.NoError(t, err)
		require.True(t, page.NotModified, "of one body, the ETags of several tokens are known")
	}
	token.set("token-0")
	page, err := list(t, f)
	require.NoError(t, err)
	require.False(t, page.NotModified, "not of all there ever were")
}

// TestPatienceEndsInTheQueue: who waits for his turn, or for a second between two writes, waits no longer than he wants to.
func TestPatienceEndsInTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, f, _ := start(t)
		order := forge.Dispatch{Repository: repository, Workflow: "ci.yml", Ref: "main"}
		require.NoError(t, f.Dispatch(t.Context(), order))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- f.Dispatch(ctx, order) }()
		synctest.Wait()
		_, err := f.Runs(ctx, forge.Query{Repository: repository})
		requireCode(t, events.CodeDeadlineExceeded, err)
		requireCode(t, events.CodeDeadlineExceeded, <-done)
		require.Len(t, fake.Orders(), 1)
		_, err = list(t, f)
		require.NoError(t, err, "the turn is given back")
	})
}
