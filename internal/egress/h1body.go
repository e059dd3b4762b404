package egress

import (
	"errors"
	"io"
)

// h1body is the body of an answer. When all of it was read, the connection is free for another request.
type h1body struct {
	conn *h1conn
	body io.ReadCloser
	call *call
	keep bool
	pool *pool
	done bool
}

// Read implements [io.Reader].
func (b *h1body) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.body.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.finish(true)
	default:
		err = b.call.ended(err)
		b.finish(false)
	}
	return n, err
}

// Close implements [io.Closer]. A body that was not read to its end takes the connection with it.
func (b *h1body) Close() error {
	b.finish(false)
	return nil
}

// finish gives the connection back, or closes it.
func (b *h1body) finish(whole bool) {
	if b.done {
		return
	}
	b.done = true
	if !whole || !b.keep || b.call.ctx.Err() != nil {
		b.conn.close()
		return
	}
	b.pool.put(b.conn)
}
