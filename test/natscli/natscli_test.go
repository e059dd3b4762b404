package natscli_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/test/natscli"
)

func TestRunsAgainstAServer(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	out := natscli.Run(t, srv.URL(), "stream", "ls", "--names")
	require.Contains(t, out, "MLSDM_EVENTS")
}
