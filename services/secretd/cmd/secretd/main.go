// Command secretd runs secretd: secrets to who may have them, sealed on the way.
package main

import (
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

func main() { service.Main(events.ServiceSecretd, secretd.Summary, secretd.New) }
