package dispatcher

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/gate"
)

// Hasten makes a dispatcher that does not run yet do in moments what takes days.
func (s *Service) Hasten(policy gate.Policy, probe time.Duration) {
	s.policy, s.probeEvery = policy, probe
}

// LookBack has changes of endpoints be caught up with that are as old as d.
func (s *Service) LookBack(d time.Duration) { s.missed.young = d }
