package watch

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// Tell stores a sighting for whoever leads its repository, and returns when it is stored. The id tells it from others: within two minutes a
// second one with it is dropped.
func (w *Watch) Tell(ctx context.Context, id string, s forge.Sighting) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("writing a sighting as JSON: %w", err)
	}
	r := Repository{Forge: s.Forge, Name: s.Repository}
	_, err = w.bus.Publish(ctx, bus.Msg{Subject: w.bus.Subjects().Sightings(r.Shard()), ID: id, Body: body})
	return err
}

// decodeSighting reads what Tell stored.
func decodeSighting(body []byte) (forge.Sighting, error) {
	var s forge.Sighting
	if err := json.Unmarshal(body, &s); err != nil {
		return s, events.Errorf(events.CodeInvalidArgument, "a sighting is not readable: %w", err)
	}
	if s.Forge == "" || s.Repository == "" {
		return s, events.Errorf(events.CodeInvalidArgument, "a sighting does not say of which repository")
	}
	if s.Run != nil {
		s.Run.Repository = s.Repository
	}
	return s, nil
}
