package egress

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// h1conn is one connection.
type h1conn struct {
	conn   net.Conn
	socket net.Conn // what conn is made of, beneath all TLS
	layers int      // of TLS between the two
	to     route
	reader *bufio.Reader
	left   int64 // bytes that may still be read, while the head of an answer is
	read   int64 // bytes of this answer
	// drained says that the last read took all that there was: nothing came together with an answer that was not seen.
	drained bool
	since   time.Time // when its last answer had been read
	leash   leash
}

const bufferSize = 4 << 10

func newH1conn(raw net.Conn, to route) *h1conn {
	c := &h1conn{conn: raw, to: to}
	c.socket, c.layers = beneath(raw)
	c.reader = bufio.NewReaderSize(c, bufferSize)
	return c
}

// Read implements [io.Reader] for the connection's own buffer: within bounds, and counting.
func (c *h1conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.conn.Read(p)
	c.left -= int64(n)
	c.read += int64(n)
	c.drained = n < len(p)
	return n, err
}

// begin makes ready for the next exchange.
func (c *h1conn) begin() { c.left, c.read = maxHeaderBytes+bufferSize, int64(c.reader.Buffered()) }

// unbound takes the bound of the head away: the body is bounded by who reads it.
func (c *h1conn) unbound() { c.left = 1 << 62 }

func (c *h1conn) exhausted() bool { return c.left <= 0 }

// silent reports whether nothing was received.
func (c *h1conn) silent() bool { return c.read == 0 }

// lastWord leaves a little time to read what was received before the connection broke.
func (c *h1conn) lastWord(deadline time.Time) {
	const patience = 100 * time.Millisecond
	soon := time.Now().Add(patience)
	if deadline.IsZero() || soon.Before(deadline) {
		_ = c.conn.SetReadDeadline(soon) // what follows fails if this does
	}
}

// beneath returns the socket of a connection, and how many layers of TLS are above it: that to the receiver, that to a proxy.
func beneath(c net.Conn) (socket net.Conn, layers int) {
	for {
		switch layer := c.(type) {
		case *conn:
			c = layer.Conn
		case *tls.Conn:
			c = layer.NetConn()
			layers++
		default:
			return c, layers
		}
	}
}

// close closes the socket, and says no farewell in TLS: on a connection that its peer does not read, that takes seconds.
func (c *h1conn) close() {
	c.leash.let()
	_ = c.socket.Close() // whatever it says, there is nothing more to do
}

// trusted is for how long after its answer a connection is used again without a look at the socket, which would cost more
// than all else that keeping it open does. That is as long as an answer and its acknowledgement may be on their way anyway:
//   - what the receiver sent together with the answer has been seen, because only a connection that was drained is trusted,
//     and one whose buffer holds more is not used at all;
//   - if the receiver has closed in between, it has not read the request: the exchange ends without a word, as it does when
//     the receiver closes right after a look, and the request goes over a new connection.
const trusted = 10 * time.Millisecond

// usable reports whether a connection that has been idle for a time is still open and silent. A connection that the receiver
// closed, or on which it talks although nothing was asked, is of no use.
func (c *h1conn) usable(idle time.Duration) bool {
	if c.reader.Buffered() > 0 || c.layers > 0 && c.overheard() {
		return false
	}
	if idle < trusted && c.drained && c.layers == 0 { // through layers of TLS nobody sees whether the socket was drained
		return true
	}
	socket, ok := c.socket.(syscall.Conn)
	if !ok {
		return true // the exchange will tell
	}
	control, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	alive := false
	err = control.Control(func(fd uintptr) { // not Read, which heeds the deadline of the request before
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		alive = n <= 0 && (errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK))
	})
	return err == nil && alive
}

// overheard reports whether a layer of TLS holds what was not asked for, or has failed. The socket is not read.
func (c *h1conn) overheard() bool {
	if c.conn.SetDeadline(time.Unix(1, 0)) != nil {
		return true
	}
	_, err := c.reader.Peek(1)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}
