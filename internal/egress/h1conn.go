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
	conn    net.Conn
	socket  net.Conn // what conn is made of, beneath all TLS
	layers  int      // of TLS between the two
	to      route
	reader  *bufio.Reader
	left    int64     // bytes that may still be read, while the head of an answer is
	read    int64     // bytes of this answer
	since   time.Time // when its last answer had been read
	leash   leash
	control syscall.RawConn  // of the socket; nil if it has none
	look    func(fd uintptr) // is peek; made once, because it is called before every exchange
	quiet   bool             // what peek found: the socket is open, and nothing can be read from it
}

const bufferSize = 4 << 10

func newH1conn(raw net.Conn, to route) *h1conn {
	c := &h1conn{conn: raw, to: to}
	c.socket, c.layers = beneath(raw)
	c.reader = bufio.NewReaderSize(c, bufferSize)
	if socket, ok := c.socket.(syscall.Conn); ok {
		if control, err := socket.SyscallConn(); err == nil { // otherwise it is closed, and the exchange will tell
			c.control, c.look = control, c.peek
		}
	}
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
	return n, err
}

// begin makes ready for the next exchange.
func (c *h1conn) begin() { c.left, c.read = maxHeaderBytes+bufferSize, int64(c.reader.Buffered()) }

// unbound takes the bound of the head away: the body is bounded by who reads it.
func (c *h1conn) unbound() { c.left = 1 << 62 }

func (c *h1conn) exhausted() bool { return c.left <= 0 }

// silent reports whether nothing was received.
func (c *h1conn) silent() bool { return c.read == 0 }

// lastWord is until when there is time to read what was received before the connection broke, which is little.
func lastWord(deadline time.Time) time.Time {
	const patience = 100 * time.Millisecond
	soon := time.Now().Add(patience)
	if !deadline.IsZero() && deadline.Before(soon) {
		return deadline
	}
	return soon
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

// usable reports whether an idle connection is still open and silent. A connection that the receiver closed, or on which it
// talks although nothing was asked, is of no use: what it said would be taken for the next answer.
func (c *h1conn) usable() bool {
	if c.reader.Buffered() > 0 || c.layers > 0 && c.overheard() {
		return false
	}
	if c.control == nil {
		return true // the exchange will tell
	}
	c.quiet = false
	return c.control.Control(c.look) == nil && c.quiet
}

// peek looks whether the socket is open and has nothing to be read. That is not Read, which heeds the deadline of the request
// before.
func (c *h1conn) peek(fd uintptr) {
	var one [1]byte
	n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	c.quiet = n <= 0 && (errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK))
}

// overheard reports whether a layer of TLS holds what was not asked for, or has failed. The socket is not read.
func (c *h1conn) overheard() bool {
	if c.conn.SetDeadline(time.Unix(1, 0)) != nil {
		return true
	}
	_, err := c.reader.Peek(1)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}
