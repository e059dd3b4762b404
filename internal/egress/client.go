package egress

import (
	"net"
	"net/http"
	"time"
)

// Limits of a connection's making. What the peer does with an open connection is for the request's context to bound.
const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
	keepAlive        = 30 * time.Second
	maxHeaderBytes   = 64 << 10
)

// Client returns an HTTP client whose every connection passes the Guard. It follows no redirect (the answer 3xx is
// returned as it is), takes no proxy from the environment (a proxy would dial unguarded), keeps no cookies, asks for no
// compression (so no small answer grows), and has no timeout of its own: give each request a context that ends. It
// keeps up to maxIdle idle connections for each host.
func (g *Guard) Client(maxIdle int) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive, ControlContext: g.Control}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			TLSHandshakeTimeout:    handshakeTimeout,
			IdleConnTimeout:        idleTimeout,
			MaxIdleConns:           0, // bounded by host, and idle ones leave by themselves
			MaxIdleConnsPerHost:    maxIdle,
			MaxResponseHeaderBytes: maxHeaderBytes,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
