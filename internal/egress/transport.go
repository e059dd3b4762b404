package egress

import (
	"context"
	"net/http"
	"sync"
)

// transport sends over HTTP/1.1, one request at a time on a connection, in the goroutine of the caller. That of net/http has
// two goroutines for each connection, through which every request and every answer is handed; here that is a third of the
// cost of a post. It keeps the promises of [Guard.Client].
type transport struct {
	dialer *dialer
	pool   pool
	post   *http.Request // what the answer to a [Post] is one to
	heads  sync.Pool     // of *[]byte
}

// CloseIdleConnections closes what nobody uses.
func (t *transport) CloseIdleConnections() { t.pool.closeAll() }

// do makes a call, once more on a new connection if the receiver closed the one that was kept open without a word.
func (t *transport) do(c *call) (*http.Response, error) {
	if deadline, ok := c.ctx.Deadline(); ok && (c.deadline.IsZero() || deadline.Before(c.deadline)) {
		c.deadline = deadline
	}
	for fresh := false; ; fresh = true {
		conn, reused, err := t.connection(c, fresh)
		if err != nil {
			return nil, c.ended(err)
		}
		answer, silent, err := t.exchange(c, conn)
		if err == nil {
			return answer, nil
		}
		conn.close()
		err = c.ended(err)
		if !reused || !silent || c.over() {
			return nil, err
		}
		again, cannot := c.message.again()
		switch {
		case cannot != nil:
			return nil, cannot
		case !again:
			return nil, err
		}
	}
}

// connection returns one that is open, or a new one.
func (t *transport) connection(c *call, fresh bool) (conn *h1conn, reused bool, err error) {
	if c.ctx.Err() != nil {
		return nil, false, c.ctx.Err()
	}
	if !fresh {
		conn = t.pool.get(c.to)
	}
	reused = conn != nil
	if !reused {
		if conn, err = t.dial(c); err != nil {
			return nil, false, err
		}
	}
	c.watch.got(conn.conn, reused)
	return conn, reused, nil
}

// dial makes a connection before the call's deadline.
func (t *transport) dial(c *call) (*h1conn, error) {
	ctx, cancel := c.ctx, func() {}
	if !c.deadline.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, c.deadline)
	}
	defer cancel()
	connect := t.dialer.plain
	if c.to.secure {
		connect = t.dialer.secure
	}
	raw, err := connect(ctx, "tcp", c.to.address())
	switch {
	case err == nil:
		return newH1conn(raw, c.to), nil
	case ctx.Err() != nil: // it was the call that had no more time, and not the receiver
		return nil, ctx.Err()
	default:
		return nil, err
	}
}
