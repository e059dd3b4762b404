package door

import (
	"context"
	"errors"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// interactive describes the interactive door to the bus.
func (d *Doors) interactive() bus.Service {
	return bus.Service{
		Name: events.MicroName(d.opts.Service), Version: d.opts.Version, Description: d.opts.Description, DrainTimeout: d.opts.DrainTimeout,
		Operations: append([]bus.Operation{{
			Name: d.opts.Kind, Workers: d.opts.Workers, Timeout: d.opts.Timeout, Handler: d.handleInteractive,
		}}, d.opts.Operations...),
		Data: d.opts.Data,
	}
}

// handleInteractive answers one request whose caller waits.
func (d *Doors) handleInteractive(ctx context.Context, r *bus.Request) (err error) {
	call := &Call{
		Caller: r.Caller, ID: events.NewID(), Header: r.Header, Body: r.Body, Limit: d.limit(), Send: r.Send, Streams: r.Streams, Report: &events.RequestProcessed{},
		kind: d.opts.Kind,
	}
	defer func() {
		if p := recover(); p != nil { // the bus turns it into an error and logs it; here it is only told
			d.finish(ctx, call.ID, events.DoorInteractive, call, r.Arrived(), fmt.Errorf("panic: %v", p))
			panic(p)
		}
		d.finish(ctx, call.ID, events.DoorInteractive, call, r.Arrived(), outcome(ctx, err))
	}()
	room, ok := d.rooms.Get().(*[]byte)
	if !ok {
		room = new([]byte)
	}
	call.Room = (*room)[:0]
	body, err := d.work(ctx, call)
	r.Ends(call.FinishReason, call.usage())
	if err != nil || body == nil {
		return err
	}
	err = r.Respond(body) // which copies it
	if *room = call.Room; cap(*room) <= maxRoom {
		d.rooms.Put(room)
	}
	return err
}

// maxRoom is the largest memory for replies that is used again, in bytes.
const maxRoom = 64 << 10

// outcome is what a request ended with: when its caller ended it, that, whatever the worker made of it.
func outcome(ctx context.Context, err error) error {
	if why, ended := errors.AsType[*events.Error](context.Cause(ctx)); ended && err != nil {
		return why
	}
	return err
}
