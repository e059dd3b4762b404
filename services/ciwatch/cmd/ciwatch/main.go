// Command ciwatch watches GitHub Actions and publishes when CI degrades and recovers.
package main

import (
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch"
)

func main() {
	service.Main(events.ServiceCIWatch, "Watches GitHub Actions, counts failed runs in a row, and publishes when CI degrades and recovers.", ciwatch.New)
}
