// Package bounded keeps what a store of secrets answers over HTTP within bounds of size and time.
package bounded

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"
)

// MaxAnswer is the largest answer that is read, in bytes: the largest value with room for what stands around it.
const MaxAnswer = 1 << 20

// MaxHeader is the largest header of an answer that is read, in bytes.
const MaxHeader = 64 << 10

// Timeout is how long a store may take over one answer.
const Timeout = 8 * time.Second

// Client returns a client whose answers are bounded. It follows no redirect, and speaks TLS 1.2 or newer.
func Client() *http.Client {
	return Over(&http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    5 * time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: MaxHeader,
	})
}

// Over returns what [Client] does, over another transport.
func Over(base http.RoundTripper) *http.Client {
	return &http.Client{
		Timeout:       Timeout,
		Transport:     Transport(base),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Transport returns base with answers that end, in an error, after [MaxAnswer].
func Transport(base http.RoundTripper) http.RoundTripper { return transport{base} }

type transport struct{ base http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = Body(resp.Body)
	return resp, nil
}

// Body returns a body that ends, in an error, after [MaxAnswer].
func Body(body io.ReadCloser) io.ReadCloser { return http.MaxBytesReader(nil, body, MaxAnswer) }
