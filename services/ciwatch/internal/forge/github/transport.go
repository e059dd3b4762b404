package github

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

const maxHeader = 64 << 10 // bytes of the header of an answer

// newHTTPClient returns the client of all requests. It follows no redirect by itself.
func newHTTPClient(cfg Config) *http.Client {
	timeout := cmp.Or(cfg.Timeout, DefaultTimeout)
	transport := cfg.Transport
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  timeout,
			IdleConnTimeout:        90 * time.Second,
			MaxIdleConnsPerHost:    4,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: maxHeader,
		}
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
