package bounded_test

import (
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// TestHostileServers is of the client itself, which the stores of Azure use as it is.
func TestHostileServers(t *testing.T) { // it measures memory, and is not parallel
	hostiletest.Client{Most: bounded.MaxAnswer, Ask: ask}.Run(t)
}
