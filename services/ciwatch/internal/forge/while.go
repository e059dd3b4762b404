package forge

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// whileKey is the key of a context's condition.
type whileKey struct{}

// While returns a context in which a forge is told to do something only as long as a condition holds. The end of a context may be seen late, by
// a process that was stopped and goes on: the condition is asked right before an order is sent.
func While(ctx context.Context, holds func() bool) context.Context {
	return context.WithValue(ctx, whileKey{}, holds)
}

// Allowed returns an error, canceled, when the condition of a context does not hold. Whoever sends an order asks it at the last moment.
func Allowed(ctx context.Context) error {
	if holds, ok := ctx.Value(whileKey{}).(func() bool); ok && !holds() {
		return events.Errorf(events.CodeCanceled, "it is not for this replica to do any more")
	}
	return nil
}
