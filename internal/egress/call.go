package egress

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

// call is one request, whatever it is made of, until its answer has been read.
type call struct {
	ctx      context.Context //nolint:containedctx // that of the request, as net/http has it
	deadline time.Time       // that of ctx or an earlier one; zero is none
	to       route
	message  message
	watch    watcher
	request  *http.Request // what the answer is one to, for who reads it
}

// message is what is sent.
type message interface {
	// write writes it.
	write(c net.Conn) error
	// again makes it ready to be written once more, and reports whether that can be done.
	again() (bool, error)
}

// watcher is told how a call goes, by the goroutine that makes it.
type watcher interface {
	got(c net.Conn, reused bool)
	wrote(err error)
	answered()
}

// ended returns err, or what ended the call, which is why there is an error: what was cut off need not look like that.
func (c *call) ended(err error) error {
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	now := time.Now()
	if deadline, ok := c.ctx.Deadline(); ok && !now.Before(deadline) {
		<-c.ctx.Done() // any moment: the connection's clock was faster
		return c.ctx.Err()
	}
	if !c.deadline.IsZero() && !now.Before(c.deadline) {
		return context.DeadlineExceeded
	}
	return err
}

// over reports whether the call has no time left.
func (c *call) over() bool {
	return c.ctx.Err() != nil || !c.deadline.IsZero() && !time.Now().Before(c.deadline)
}

// route is what a connection may be used for.
type route struct {
	secure bool
	host   string // with its port, as the URL has it
}

func routeOf(u *url.URL) route { return route{secure: u.Scheme == "https", host: u.Host} }

// address returns what is dialled.
func (r route) address() string {
	u := url.URL{Host: r.host}
	port := "80"
	if r.secure {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), orElse(u.Port(), port))
}

// hooks tells those of net/http how a call goes.
type hooks struct{ trace *httptrace.ClientTrace }

func (h hooks) got(c net.Conn, reused bool) {
	if h.trace != nil && h.trace.GotConn != nil {
		h.trace.GotConn(httptrace.GotConnInfo{Conn: c, Reused: reused, WasIdle: reused})
	}
}

func (h hooks) wrote(err error) {
	if h.trace != nil && h.trace.WroteRequest != nil {
		h.trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
}

func (h hooks) answered() {
	if h.trace != nil && h.trace.GotFirstResponseByte != nil {
		h.trace.GotFirstResponseByte()
	}
}
