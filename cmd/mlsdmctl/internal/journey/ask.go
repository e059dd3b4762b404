package journey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of what the dispatcher is asked.
const (
	maxPages   = 50
	pageLength = 1000
	maxDetails = 100
)

// askDeliveries asks the dispatcher for the deliveries of what is known: for who may not read where they are recorded.
func (f *finder) askDeliveries(ctx context.Context, s *shelf) error {
	wanted := make(map[string]string) // by delivery, its endpoint
	for id := range f.known {
		if f.query == id && !f.is[IsEvent] && isTraceID(id) { // it can be a delivery's
			wanted[id] = ""
		}
	}
	req := events.DeliveriesListRequest{DeliveryFilter: events.DeliveryFilter{Since: f.o.From}, Limit: pageLength}
	for page := 1; ; page++ {
		var list events.DeliveriesList
		if err := f.call(ctx, events.OpDeliveriesList, req, &list); err != nil {
			return err
		}
		for _, d := range list.Deliveries {
			if s.Messages++; f.belongs(d.ID, d.EventID) {
				wanted[d.ID] = d.EndpointID
			}
		}
		if req.Cursor = list.Cursor; req.Cursor == "" {
			break
		}
		if page == maxPages || s.Messages >= f.o.Limit {
			s.Left = "there is more; a later --since reaches it"
			break
		}
	}
	for i, id := range slices.Sorted(maps.Keys(wanted)) {
		if i == maxDetails {
			f.full = true
			break
		}
		if err := f.askDelivery(ctx, id, wanted[id]); err != nil && events.CodeOf(err) != events.CodeNotFound {
			return err
		}
	}
	return nil
}

// askDelivery asks for all attempts of one delivery, and its dead letter.
func (f *finder) askDelivery(ctx context.Context, id, endpoint string) error {
	var detail events.DeliveryDetail
	if err := f.call(ctx, events.OpDeliveriesGet, events.DeliveryRequest{ID: id, EndpointID: endpoint}, &detail); err != nil {
		return err
	}
	for i, a := range detail.Attempts {
		f.takeAttempt(fmt.Sprintf("%s/%d", id, i), a)
	}
	d := detail.Delivery
	f.learn(d.ID, d.EventID)
	f.meant(IsDelivery, d.ID)
	if d.DeadLetter != 0 && !f.hasDead(d.DeadLetter) && f.room() {
		f.dead = append(f.dead, &deadLetter{
			DeadLetter: DeadLetter{At: d.At, Sequence: d.DeadLetter, Reason: d.Error, Fault: d.Fault, Attempts: d.Attempt},
			stream:     events.StreamDeliveries, delivery: d.ID, endpoint: d.EndpointID, eventID: d.EventID, eventType: d.EventType,
		})
	}
	return nil
}

// call asks an operation under the application's name.
func (f *finder) call(ctx context.Context, operation string, req, resp any) error {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	reply, err := f.bus.Request(ctx, bus.Msg{Subject: f.bus.Subjects().Interactive(f.o.Own, operation), Body: body})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(reply.Body, resp); err != nil {
		return errors.New("the dispatcher's answer cannot be read")
	}
	return nil
}
