package egress

import (
	"context"
	"time"
)

// leash is what ends a connection's exchanges when their context ends. It stays on while the connection is idle, because the
// next exchange mostly has the same context, or one made of it, and to put it on and off costs as much as to write the head
// of a request.
type leash struct {
	done  <-chan struct{} // of the context that holds it
	stop  func() bool
	drawn chan struct{} // closed when the context's end has come over the connection
}

// obey sets the deadline of an exchange, and has the exchange end with ctx. An error means that it must not begin.
func (c *h1conn) obey(ctx context.Context, deadline time.Time) error {
	if done := ctx.Done(); done != c.leash.done {
		c.leash.let()
		if done != nil {
			drawn := make(chan struct{})
			c.leash = leash{done: done, drawn: drawn, stop: context.AfterFunc(ctx, func() {
				defer close(drawn)
				_ = c.conn.SetDeadline(time.Unix(1, 0)) // whoever reads or writes ends; a connection that is closed does anyway
			})}
		}
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return err
	}
	return ctx.Err() // which may have come over the connection before the deadline did
}

// let takes the leash off. If it is being drawn, because a context that is no more of interest has ended, it waits until
// that is done: it must not come over the next exchange.
func (l *leash) let() {
	if l.stop != nil && !l.stop() {
		<-l.drawn // it takes no time
	}
	*l = leash{}
}
