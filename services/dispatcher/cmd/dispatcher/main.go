// Command dispatcher signs events and delivers them as webhooks.
package main

import (
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher"
)

func main() {
	service.Main("dispatcher", "Signs events and delivers them as webhooks until the receiver has them.", dispatcher.New)
}
