package client

import (
	"context"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Mux calls the handlers that are registered for an event's type, in the order of their registration. The zero value is
// ready. It is filled before it is used: registering and handling must not go on at the same time.
//
//	var mux client.Mux
//	client.On(&mux, func(ctx context.Context, ev events.Event, p events.CIDegraded) error { … })
//	sub, err := c.Subscribe(ctx, mux.Patterns(), mux.Handle)
type Mux struct {
	routes []route
}

type route struct {
	pattern string
	handle  func(context.Context, events.Event) error
}

// On registers a handler for the events of T's type. An event whose data is no valid T does not reach it and is reported
// as a [BadEventError].
func On[T events.Payload](m *Mux, handler func(ctx context.Context, ev events.Event, payload T) error) {
	var zero T
	m.OnEvent(zero.EventType(), func(ctx context.Context, ev events.Event) error {
		payload, err := events.Decode[T](ev)
		if err != nil {
			return &payloadError{err}
		}
		return handler(ctx, ev, payload)
	})
}

// OnEvent registers a handler for the events whose type matches a pattern, such as "custom.>".
func (m *Mux) OnEvent(pattern string, handler func(ctx context.Context, ev events.Event) error) {
	m.routes = append(m.routes, route{pattern, handler})
}

// Patterns returns what [Client.Subscribe] has to be asked for.
func (m *Mux) Patterns() []string {
	patterns := make([]string, 0, len(m.routes))
	for _, r := range m.routes {
		patterns = append(patterns, r.pattern)
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// Handle calls the handlers for ev. The first error of a handler ends it and is returned; data that one handler cannot
// read is returned after the others were called.
func (m *Mux) Handle(ctx context.Context, ev events.Event) error {
	var bad *payloadError
	for _, r := range m.routes {
		if !covers(r.pattern, ev.Type) {
			continue
		}
		err := r.handle(ctx, ev)
		if unreadable, ok := err.(*payloadError); ok { //nolint:errorlint // our own, as On made it; a wrapped one is the handler's
			bad = unreadable
			continue
		}
		if err != nil {
			return err
		}
	}
	if bad != nil {
		return bad
	}
	return nil
}

// payloadError marks data that does not fit its type, which is the publisher's mistake and not the handler's failure.
type payloadError struct{ err error }

func (e *payloadError) Error() string { return e.err.Error() }

func (e *payloadError) Unwrap() error { return e.err }
