// Command generator runs the generator: conversations to answers on NATS.
package main

import (
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator"
)

func main() { service.Main(events.ServiceGenerator, generator.Summary, generator.New) }
