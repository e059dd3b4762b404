package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// maxProxyAnswer bounds what a proxy may say before the tunnel begins, in bytes.
const maxProxyAnswer = 16 << 10

// proxy is an HTTP proxy that connects to where it is told (RFC 9110, 9.3.6).
type proxy struct {
	address       string
	tls           *tls.Config // nil for a proxy that is spoken to in the clear
	authorization string
}

// newProxy reads the URL of a proxy; nil is none. Its errors hold no part of the URL, which may hold a password.
func newProxy(u *url.URL) (*proxy, error) {
	if u == nil {
		return nil, nil //nolint:nilnil // no proxy is no fault
	}
	p := &proxy{}
	port := u.Port()
	switch u.Scheme {
	case "http":
		port = orElse(port, "80")
	case "https":
		port = orElse(port, "443")
		p.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	default:
		return nil, errors.New("egress: the proxy must be of the form http://user:password@host:port, or https")
	}
	if _, ok := parsePort(port); !ok || u.Hostname() == "" || u.Opaque != "" {
		return nil, errors.New("egress: the proxy's URL names no host, or a port that is not 1 to 65535")
	}
	p.address = net.JoinHostPort(u.Hostname(), port)
	if u.User != nil {
		password, _ := u.User.Password()
		p.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
	}
	return p, nil
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// connect returns a tunnel to the socket. An error does not repeat what the proxy said.
func (p *proxy) connect(ctx context.Context, socket netip.AddrPort) (net.Conn, error) {
	tcp := net.Dialer{KeepAlive: keepAlive}
	c, err := tcp.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, fmt.Errorf("connecting to the proxy: %w", bare(err))
	}
	if p.tls != nil {
		secured := tls.Client(c, p.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = c.Close() // it is of no use, and says no more
			return nil, fmt.Errorf("the TLS handshake with the proxy: %w", err)
		}
		c = secured
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // wakes whoever reads or writes
	err = p.ask(c, socket)
	if !stop() {
		err = errors.Join(err, ctx.Err()) // the deadline stands, or is about to
	}
	if err != nil {
		_ = c.Close() // it is of no use, and says no more
		return nil, err
	}
	return c, nil
}

// bare returns the reason of a failed dial without the address of the proxy or of a name server: who makes endpoints reads it
// in the records of attempts, and these are the operator's own.
func bare(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(dns.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// ask has the proxy connect c to the socket.
func (p *proxy) ask(c net.Conn, socket netip.AddrPort) error {
	header := ""
	if p.authorization != "" {
		header = "Proxy-Authorization: " + p.authorization + "\r\n"
	}
	if _, err := fmt.Fprintf(c, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n%s\r\n", socket, header); err != nil {
		return fmt.Errorf("asking the proxy: %w", err)
	}
	reader := bufio.NewReader(io.LimitReader(c, maxProxyAnswer))
	answer, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // closing the body would read the tunnel
	if err != nil {
		return errors.New("the proxy gave no answer that can be read")
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 { // the body, if any, goes with the connection
		return fmt.Errorf("the proxy answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	if reader.Buffered() > 0 {
		return errors.New("the proxy sent more than an answer, before anything was asked of the receiver")
	}
	return nil
}
