package egress

import (
	"crypto/tls"
	"net/http"
	"time"
)

// Limits of open connections. What a request may take is for its context to bound.
const (
	// idleTimeout is shorter than the 60 s after which load balancers commonly close theirs.
	idleTimeout = 50 * time.Second
	// maxIdle bounds the idle connections to all hosts together: each costs some 20 KiB.
	maxIdle = 512
	// maxHeaderBytes bounds the headers of an answer.
	maxHeaderBytes = 64 << 10
	// sessions is how many TLS sessions are kept to be resumed.
	sessions = 64
)

// ClientOptions are how a client speaks to its receivers.
type ClientOptions struct {
	// MaxIdle is how many idle connections are kept for each host; 0 is 2.
	MaxIdle int
	// TLS has the authorities, the client's certificates and the server's name, each if it is not the usual one. It is
	// copied. The version is at least 1.2, and certificates are always verified, whatever it says.
	TLS *tls.Config
}

// Client returns an HTTP client whose every connection passes the Guard. It follows no redirect (the answer 3xx is
// returned as it is), takes no proxy from the environment, keeps no cookies, asks for no compression (so no small answer
// grows), speaks HTTP/1.1, and has no timeout of its own for requests: give each a context that ends. Its transport
// is a [Poster]. Whoever is done with it
// calls CloseIdleConnections.
func (g *Guard) Client(o ClientOptions) *http.Client {
	d := &dialer{guard: g, tls: clientTLS(o.TLS)}
	perHost := o.MaxIdle
	if perHost == 0 {
		perHost = 2
	}
	return &http.Client{
		Transport: &transport{
			dialer: d, pool: pool{perKey: perHost, total: max(maxIdle, o.MaxIdle)}, post: &http.Request{Method: http.MethodPost},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// clientTLS returns the configuration that is used instead of given, which may be nil.
func clientTLS(given *tls.Config) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if given != nil {
		config = given.Clone()
		config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	}
	config.InsecureSkipVerify = false
	config.NextProtos = []string{"http/1.1"}
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(sessions)
	}
	return config
}
