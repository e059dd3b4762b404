package hooks

import (
	"container/list"
	"context"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// listener takes connections in, up to a number. One more closes the one that has been there longest without a signed webhook: who opens
// connections for nothing keeps nobody out.
type listener struct {
	net.Listener

	most    int
	evicted prometheus.Counter

	mu   sync.Mutex
	open *list.List // *conn, the one that is closed first in front
}

func newListener(l net.Listener, most int, evicted prometheus.Counter) *listener {
	return &listener{Listener: l, most: most, evicted: evicted, open: list.New()}
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, listener: l}
	if eldest := l.add(c); eldest != nil {
		l.evicted.Inc()
		_ = eldest.Close() // there is nobody to tell
	}
	return c, nil
}

// add adds a connection and returns the one that has to go for it, nil if none has.
func (l *listener) add(c *conn) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.place = l.open.PushBack(c)
	if l.open.Len() <= l.most {
		return nil
	}
	eldest, _ := l.open.Front().Value.(*conn)
	return eldest
}

// count is how many connections are open.
func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open.Len()
}

// conn is a connection that was taken in.
type conn struct {
	net.Conn

	listener *listener
	place    *list.Element // nil when it is closed
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.listener.mu.Lock()
	if c.place != nil {
		c.listener.open.Remove(c.place)
		c.place = nil
	}
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends what is said to the other side, which the server does before it closes a connection on somebody who is still talking: that one then
// reads the answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// proven says that a signed webhook has come by it just now.
func (c *conn) proven() {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if c.place != nil {
		c.listener.open.MoveToBack(c.place)
	}
}

// connKey is the key of a request's connection.
type connKey struct{}

// remember puts a connection into the context of its requests.
func remember(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// proven says that a request is a signed webhook.
func proven(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		c.proven()
	}
}
