package main

import (
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// known generates the list of keys that may stand in the one configuration file of all services.
func known(_ string, files map[string][]byte) error {
	keys, err := service.Keys(services.Units()...)
	if err != nil {
		return err
	}
	fields, err := config.Fields(&services.Up{})
	if err != nil {
		return err
	}
	for _, f := range fields {
		keys["up"] = append(keys["up"], f.Name)
	}
	source, err := service.KnownSource(keys)
	if err != nil {
		return fmt.Errorf("the list of known keys: %w", err)
	}
	files["internal/service/known_gen.go"] = source
	return nil
}
