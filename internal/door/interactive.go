package door

import (
	"context"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// interactive describes the interactive door to the bus.
func (d *Doors) interactive() bus.Service {
	return bus.Service{
		Name: events.MicroName(d.opts.Service), Version: d.opts.Version, Description: d.opts.Description, DrainTimeout: d.opts.DrainTimeout,
		Operations: []bus.Operation{{
			Name: d.opts.Kind, Workers: d.opts.Workers, Timeout: d.opts.Timeout, Handler: d.handleInteractive,
		}},
	}
}

// handleInteractive answers one request whose caller waits.
func (d *Doors) handleInteractive(ctx context.Context, r *bus.Request) (err error) {
	call := &Call{Caller: r.Caller, Body: r.Body, Limit: d.limit(), Send: r.Send, Report: &events.RequestProcessed{}}
	defer func() {
		if p := recover(); p != nil { // the bus turns it into an error and logs it; here it is only told
			d.finish(ctx, events.NewID(), events.DoorInteractive, call, r.Arrived(), fmt.Errorf("panic: %v", p))
			panic(p)
		}
		d.finish(ctx, events.NewID(), events.DoorInteractive, call, r.Arrived(), err)
	}()
	body, err := d.work(ctx, call)
	if err != nil || body == nil {
		return err
	}
	return r.Respond(body)
}
