package github_test

import (
	"context"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge/github"
)

// TestHostileServers: what calls itself GitHub costs no more than its bounds.
func TestHostileServers(t *testing.T) { // it measures memory, and is not parallel
	hostiletest.Client{Most: 8 << 20, Ask: func(ctx context.Context, url string) error {
		source, err := github.New(github.Config{APIURL: url, Repository: "a/b", Branch: "main", Token: secret.NewValue(canary)})
		if err != nil {
			return err
		}
		_, err = source.CompletedRuns(ctx, 1)
		return err
	}}.Run(t)
}
