package ciwatch

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
)

func TestWait(t *testing.T) {
	t.Parallel()
	limited := events.Errorf(events.CodeRateLimited, "slow down")
	limited.RetryAfter = 40 * time.Minute
	tests := []struct {
		name     string
		err      error
		failures int
		quota    forge.Quota // Reset is in half an hour
		want     time.Duration
	}{
		{"nothing known", nil, 0, forge.Quota{}, 30 * time.Second},
		{"plenty left", nil, 0, forge.Quota{Limit: 5000, Remaining: 4000}, 30 * time.Second},
		{"without a token", nil, 0, forge.Quota{Limit: 60, Remaining: 20}, 90 * time.Second},
		{"the last one", nil, 0, forge.Quota{Limit: 60, Remaining: 1}, 5 * time.Minute},
		{"none left", nil, 0, forge.Quota{Limit: 60}, 5 * time.Minute},
		{"first failure", errors.New("x"), 1, forge.Quota{}, 30 * time.Second},
		{"third failure", errors.New("x"), 3, forge.Quota{}, 2 * time.Minute},
		{"many failures", errors.New("x"), 1000, forge.Quota{}, 5 * time.Minute},
		{"as GitHub asks", limited, 1, forge.Quota{}, 40 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &Service{cfg: Config{PollInterval: 30 * time.Second}}
				tt.quota.Reset = time.Now().Add(30 * time.Minute)
				got := s.wait(tt.err, tt.failures, tt.quota)
				require.GreaterOrEqual(t, got, tt.want)
				require.LessOrEqual(t, got, tt.want+3*time.Second, "at most a tenth of the interval is added at random")
			})
		})
	}
}

func TestStateKey(t *testing.T) {
	t.Parallel()
	for branch, want := range map[string]string{
		"main":         "neuron7x.mlsdm=2Ego.7.main",
		"feature/x":    "neuron7x.mlsdm=2Ego.7.feature=2Fx",
		"a.b*>= ü":     "neuron7x.mlsdm=2Ego.7.a=2Eb=2A=3E=3D=20=C3=BC",
		"feature=2Fx":  "neuron7x.mlsdm=2Ego.7.feature=3D2Fx",
		"release-1_0.": "neuron7x.mlsdm=2Ego.7.release-1_0=2E",
	} {
		require.Equal(t, want, stateKey("Neuron7x/MLSDM.go", forge.Run{WorkflowID: 7, Branch: branch}))
	}
}
