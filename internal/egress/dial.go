package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"
)

const (
	// dialTimeout bounds the making of a connection, from the lookup of the name to the end of the TLS handshake.
	dialTimeout = 10 * time.Second
	// keepAlive is how long a connection is silent before the kernel asks whether its peer is there.
	keepAlive = 30 * time.Second
	// maxDialled is how many addresses of one name are tried.
	maxDialled = 8
	// stagger is how long one address is waited for before the next is tried beside it (RFC 8305, 5).
	stagger = 250 * time.Millisecond
)

// dialer makes the connections of one client.
type dialer struct {
	guard *Guard
	tls   *tls.Config
}

// plain makes a connection for http.
func (d *dialer) plain(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, _, err := d.guard.dial(ctx, address, true)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// secure makes a connection for https, the handshake included.
func (d *dialer) secure(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, host, err := d.guard.dial(ctx, address, false)
	if err != nil {
		return nil, err
	}
	config := d.tls
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = host
	}
	start := time.Now()
	secured := tls.Client(c, config)
	err = secured.HandshakeContext(ctx)
	c.times.TLS = time.Since(start)
	if err != nil {
		_ = c.Close() // it is of no use, and says no more
		return nil, &DialError{Stage: StageTLS, Times: c.times, Err: timedOut(ctx, err, "no TLS handshake within ")}
	}
	return secured, nil
}

// dial resolves, judges and connects. It returns the host that it connected to, too.
func (g *Guard) dial(ctx context.Context, address string, plain bool) (*conn, string, error) {
	host, portText, err := net.SplitHostPort(address)
	port, ok := parsePort(portText)
	if err != nil || !ok {
		return nil, "", g.block(address, "nothing that can be judged")
	}
	to := g.target(host, plain)
	start := time.Now()
	addrs, err := g.resolve(ctx, host, to)
	resolved := time.Now()
	times := Times{DNS: resolved.Sub(start)}
	if err != nil {
		if errors.Is(err, ErrBlocked) {
			return nil, "", err
		}
		return nil, "", &DialError{Stage: StageDNS, Times: times, Err: lookupError(host, err)}
	}
	sockets := make([]netip.AddrPort, 0, maxDialled)
	for _, addr := range addrs[:min(len(addrs), maxDialled)] {
		sockets = append(sockets, netip.AddrPortFrom(addr, port))
	}
	c, err := race(ctx, sockets, func(ctx context.Context, socket netip.AddrPort) (net.Conn, error) {
		return g.connect(ctx, socket, to)
	})
	times.Connect = time.Since(resolved)
	if err != nil {
		return nil, "", &DialError{Stage: StageConnect, Times: times, Err: timedOut(ctx, err, "no connection within ")}
	}
	return &conn{Conn: c, times: times}, host, nil
}

// connect connects to one address that was judged, by itself or through the proxy.
func (g *Guard) connect(ctx context.Context, socket netip.AddrPort, to target) (net.Conn, error) {
	if g.proxy != nil {
		return g.proxy.connect(ctx, socket)
	}
	tcp := net.Dialer{KeepAlive: keepAlive, ControlContext: g.control(to)}
	return tcp.DialContext(ctx, "tcp", socket.String())
}

// timedOut returns err, or says it better when it is that dialTimeout is over.
func timedOut(ctx context.Context, err error, what string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New(what + dialTimeout.String())
	}
	return err
}

// dialled is what came of one address.
type dialled struct {
	conn net.Conn
	err  error
}

// race tries the sockets in their order, the next when one has failed or takes long, and returns the first connection.
// The error is that of the first socket that failed. All that it started ends with it.
func race(ctx context.Context, sockets []netip.AddrPort, connect func(context.Context, netip.AddrPort) (net.Conn, error)) (net.Conn, error) {
	if len(sockets) == 1 {
		return connect(ctx, sockets[0])
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan dialled)
	try := func(socket netip.AddrPort) {
		c, err := connect(ctx, socket)
		select {
		case results <- dialled{conn: c, err: err}:
		case <-ctx.Done():
			if err == nil {
				_ = c.Close() // another was faster
			}
		}
	}
	next := time.NewTimer(0)
	defer next.Stop()
	var failed error
	for started, ended := 0, 0; ended < len(sockets); {
		select {
		case <-next.C:
			if started < len(sockets) {
				go try(sockets[started])
				started++
				next.Reset(stagger)
			}
		case r := <-results:
			if r.err == nil {
				return r.conn, nil
			}
			if failed == nil {
				failed = r.err
			}
			ended++
			next.Reset(0)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, failed
}
