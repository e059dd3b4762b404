// Package services lists the services, for whoever runs or documents all of them: each can also run alone, from the cmd
// folder inside its own.
package services

import (
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher"
	"github.com/neuron7x/mlsdm-integrations/services/embedder"
	"github.com/neuron7x/mlsdm-integrations/services/generator"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

// Units returns every service, in the order in which a person reads them.
func Units() []service.Unit {
	return []service.Unit{
		service.Define("ciwatch", "watches GitHub Actions and says when CI degrades and recovers", ciwatch.New),
		service.Define("embedder", embedder.Summary, embedder.New),
		service.Define("generator", generator.Summary, generator.New),
		service.Define("dispatcher", "signs events and delivers them as webhooks", dispatcher.New),
		service.Define("secretd", secretd.Summary, secretd.New),
	}
}
