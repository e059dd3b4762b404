package embedder

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
)

// Patient is [New] of a service whose texts wait for as long as that for a call to be full, while another one is under way.
func Patient(cfg Config, deps service.Deps, window time.Duration) (*Service, error) {
	return build(cfg, deps, batch.Options{Logger: deps.Logger, Window: window})
}
