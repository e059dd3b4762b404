package llm

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// maxAnswer is the longest answer that is read, in bytes, decompressed: a stream of the largest models, several
// alternatives at once, with room to spare. What is kept in memory has smaller bounds of its own.
const maxAnswer = 256 << 20

// NewHTTPClient returns the client through which a process talks to all its providers: one pool of connections, no
// redirects followed (a redirect would carry the API key, or the prompt, to somewhere else), TLS 1.2 or newer, no answer
// without end, no timeout of its own beyond connecting, since how long an answer may take is the context's business.
func NewHTTPClient() *http.Client {
	return &http.Client{
		Transport: &bounded{http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded is a transport whose answers end, in an [http.MaxBytesError], after maxAnswer.
type bounded struct{ http.Transport }

// RoundTrip implements [http.RoundTripper].
func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}
