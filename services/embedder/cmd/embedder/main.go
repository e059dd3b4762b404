// Command embedder runs the embedder: texts to vectors on NATS.
package main

import (
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder"
)

func main() { service.Main(events.ServiceEmbedder, embedder.Summary, embedder.New) }
