package github_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

// BenchmarkRuns measures a question whose answer has not changed, and one for which the token has rotated.
func BenchmarkRuns(b *testing.B) {
	for _, rotate := range []bool{false, true} {
		b.Run(fmt.Sprintf("rotated=%t", rotate), func(b *testing.B) {
			opts := fakegithub.Options{Token: "token-0"}
			if recorded, err := fakegithub.LoadTemplates(recordings); err == nil {
				opts.Templates = recorded
			}
			fake, err := fakegithub.New(opts)
			require.NoError(b, err)
			token := &rotating{now: "token-0"}
			f, err := github.New(github.Config{Transport: fake, Credentials: []github.Credential{{Token: secret.Live(token)}}, Timeout: time.Minute})
			require.NoError(b, err)
			for range 30 {
				fake.AddRun("success")
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if rotate {
					fresh := fmt.Sprintf("token-%d", i+1)
					fake.RotateToken(token.Current(), fresh)
					token.set(fresh)
				}
				if _, err := f.Runs(b.Context(), forge.Query{Repository: repository}); err != nil {
					b.Fatal(err)
				}
			}
			require.Equal(b, 1, f.Quotas()[0].Spent)
		})
	}
}
