package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"syscall"
	"time"
)

// transport posts over HTTP/1.1, one request at a time on a connection, in the goroutine of the caller. That of net/http has
// two goroutines for each connection, through which every request and every answer is handed; here that is a third of the
// cost of a post. It keeps the promises of [Guard.Client].
type transport struct {
	dialer *dialer
	pool   pool
}

// maxInformational is how many answers 1xx are read before the one that counts.
const maxInformational = 5

// RoundTrip implements [http.RoundTripper]. A request that can be repeated (it has GetBody, or no body) is sent once more, on
// a new connection, if the receiver closed the one that was kept open without a word.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	trace := httptrace.ContextClientTrace(ctx)
	key := poolKey(request)
	for fresh := false; ; fresh = true {
		c, reused, err := t.connection(ctx, trace, key, fresh)
		if err != nil {
			closeBody(request)
			return nil, ended(ctx, err)
		}
		answer, silent, err := t.exchange(request, trace, c)
		if err == nil {
			return answer, nil
		}
		c.close()
		err = ended(ctx, err)
		if !reused || !silent || ctx.Err() != nil {
			return nil, err
		}
		if request.Body == nil || request.Body == http.NoBody {
			continue
		}
		if request.GetBody == nil {
			return nil, err
		}
		again := *request // which is not ours to change
		if again.Body, err = request.GetBody(); err != nil {
			return nil, err
		}
		request = &again
	}
}

// CloseIdleConnections closes what nobody uses.
func (t *transport) CloseIdleConnections() { t.pool.closeAll() }

// ended returns err, or what ended ctx, which is why there is an error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if deadline, ok := ctx.Deadline(); ok && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(deadline) {
		<-ctx.Done() // any moment: the connection's clock was faster
		return ctx.Err()
	}
	return err
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close() // it was not read
	}
}

// connection returns one that is open, or a new one.
func (t *transport) connection(ctx context.Context, trace *httptrace.ClientTrace, key string, fresh bool) (c *h1conn, reused bool, err error) {
	scheme, address, _ := strings.Cut(key, ":")
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(address)
	}
	if ctx.Err() != nil {
		return nil, false, ctx.Err()
	}
	if !fresh {
		c = t.pool.get(key)
	}
	if c == nil {
		dial := t.dialer.plain
		if scheme == "https" {
			dial = t.dialer.secure
		}
		raw, err := dial(ctx, "tcp", address)
		if err != nil {
			return nil, false, err
		}
		c = newH1conn(raw, key)
	} else {
		reused = true
	}
	if trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c.conn, Reused: reused, WasIdle: reused})
	}
	return c, reused, nil
}

// exchange sends the request and reads the head of the answer. silent says of an error that the receiver had not said
// anything yet.
func (t *transport) exchange(request *http.Request, trace *httptrace.ClientTrace, c *h1conn) (answer *http.Response, silent bool, err error) {
	ctx := request.Context()
	deadline, _ := ctx.Deadline() // the zero time is none
	if err := c.conn.SetDeadline(deadline); err != nil {
		return nil, true, err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = c.conn.SetDeadline(time.Unix(1, 0)) // whoever reads or writes ends; a connection that is closed does anyway
	})
	c.begin()
	err = request.Write(c.writer)
	if err == nil {
		err = c.writer.Flush()
	}
	if _, broke := c.writer.Write(nil); broke != nil {
		err = broke // what net/http says instead does not tell why
	}
	if trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
	if wrote := err; wrote != nil {
		// The receiver may have answered before it had read all, and closed.
		c.lastWord(deadline)
		if answer, err = t.head(request, trace, c); err != nil {
			stop()
			return nil, c.silent(), wrote
		}
		answer.Close = true
	} else if answer, err = t.head(request, trace, c); err != nil {
		stop()
		return nil, c.silent(), err
	}
	body := &h1body{conn: c, body: answer.Body, stop: stop, ctx: ctx, keep: !answer.Close, pool: &t.pool}
	answer.Body = body
	if answer.ContentLength == 0 { // there is nothing to read
		body.finish(true)
	}
	return answer, false, nil
}

// head reads the head of the answer that counts.
func (t *transport) head(request *http.Request, trace *httptrace.ClientTrace, c *h1conn) (*http.Response, error) {
	if _, err := c.reader.Peek(1); err != nil {
		return nil, noAnswer(err)
	}
	if trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	for range maxInformational + 1 {
		answer, err := http.ReadResponse(c.reader, request)
		if err != nil {
			if c.exhausted() {
				err = fmt.Errorf("the answer's headers exceeded %d bytes", maxHeaderBytes)
			}
			return nil, noAnswer(err)
		}
		if answer.StatusCode == http.StatusSwitchingProtocols { // which nobody asked for; what follows is no HTTP
			answer.Close = true
		}
		if answer.StatusCode/100 != 1 || answer.StatusCode == http.StatusSwitchingProtocols {
			c.unbound()
			return answer, nil
		}
	}
	return nil, fmt.Errorf("more than %d answers of the kind 1xx", maxInformational)
}

// noAnswer names the end of a connection.
func noAnswer(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// poolKey names what a connection may be used for: the scheme and the address.
func poolKey(request *http.Request) string {
	u := request.URL
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return u.Scheme + ":" + net.JoinHostPort(u.Hostname(), port)
}

// h1conn is one connection.
type h1conn struct {
	conn   net.Conn
	socket net.Conn // what conn is made of, beneath all TLS
	layers int      // of TLS between the two
	key    string
	reader *bufio.Reader
	writer *bufio.Writer
	left   int64 // bytes that may still be read, while the head of an answer is
	read   int64 // bytes of this answer
	since  time.Time
}

const bufferSize = 4 << 10

func newH1conn(raw net.Conn, key string) *h1conn {
	c := &h1conn{conn: raw, key: key}
	c.socket, c.layers = beneath(raw)
	c.reader, c.writer = bufio.NewReaderSize(c, bufferSize), bufio.NewWriterSize(raw, bufferSize)
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
	_ = c.socket.Close() // whatever it says, there is nothing more to do
}

// usable reports whether an idle connection is still open and silent. A connection that the receiver closed, or on which it
// talks although nothing was asked, is of no use.
func (c *h1conn) usable() bool {
	if c.reader.Buffered() > 0 || c.layers > 0 && c.overheard() {
		return false
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

// h1body is the body of an answer. When all of it was read, the connection is free for another request.
type h1body struct {
	conn *h1conn
	body io.ReadCloser
	stop func() bool
	ctx  context.Context //nolint:containedctx // that of the request, as net/http has it
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
		err = ended(b.ctx, err)
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
	// If ctx has ended in between, the deadline may be about to be set on a connection that somebody else has by then.
	if !b.stop() || !whole || !b.keep {
		b.conn.close()
		return
	}
	b.pool.put(b.conn)
}
