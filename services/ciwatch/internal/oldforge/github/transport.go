package github

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

const (
	maxBody   = 8 << 20  // bytes of one answer, uncompressed; a page of 30 runs is about 600 KiB
	maxHeader = 64 << 10 // bytes of its header
	maxCached = 8        // answers that are kept for conditional requests
)

var (
	errBodyTooLarge = errors.New("the answer is larger than 8 MiB")
	errRedirect     = errors.New("a redirect leads to another host")
	errNoToken      = errors.New("the store of secrets does not give the token any more")
)

// newHTTPClient returns the client whose requests go to base's host only, with the token, conditional where an earlier
// answer is known; and the transport that knows those answers.
func newHTTPClient(base *url.URL, cfg Config) (*conditionalTransport, *http.Client) {
	timeout := cfg.Timeout
	if timeout <= 0 {
		timeout = 20 * time.Second
	}
	var rt http.RoundTripper = &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  timeout,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    2,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: maxHeader,
	}
	rt = &boundedTransport{next: rt}
	rt = &tokenTransport{next: rt, base: base, token: cfg.Token}
	conditional := &conditionalTransport{next: rt, answers: map[string]answer{}, onNotModified: cfg.OnNotModified}
	return conditional, &http.Client{
		Transport: conditional,
		Timeout:   timeout,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			// A renamed repository answers with a redirect inside the API; anything else is not for our token.
			if !sameOrigin(req.URL, base) || len(via) > 3 {
				return errRedirect
			}
			return nil
		},
	}
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// tokenTransport adds the token to requests for the API's own host, and to no other.
type tokenTransport struct {
	next  http.RoundTripper
	base  *url.URL
	token secret.Value
}

// RoundTrip implements [http.RoundTripper]. A token that GitHub does not accept is asked for anew where it comes from, and the
// request is made again with the one that has taken its place.
func (t *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.token.IsZero() || !sameOrigin(req.URL, t.base) {
		return t.next.RoundTrip(req)
	}
	token := t.token.Reveal()
	if token == "" {
		return nil, errNoToken
	}
	resp, err := t.send(req, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || req.Body != nil && req.Body != http.NoBody {
		return resp, err
	}
	fresh, changed := t.token.Renew(req.Context(), token)
	if !changed {
		return resp, nil
	}
	_ = resp.Body.Close() // it has been read already
	return t.send(req, fresh)
}

// send makes the request with a token.
func (t *tokenTransport) send(req *http.Request, token string) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	return t.next.RoundTrip(req)
}

// boundedTransport reads every answer to its end, and refuses one that is too large.
type boundedTransport struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t *boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxBody {
		return nil, errBodyTooLarge
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// conditionalTransport asks for what it has an answer to with If-None-Match and, on 304, gives that answer again:
// GitHub does not count a 304 against the rate limit of an authorized client. The headers, and so the rate limit, are
// always those of the new answer.
type conditionalTransport struct {
	next          http.RoundTripper
	onNotModified func()

	mu      sync.Mutex
	answers map[string]answer // by URL
}

// answer is one that can be given again.
type answer struct {
	etag string
	link string // the pages before and after
	body []byte
}

// RoundTrip implements [http.RoundTripper].
func (t *conditionalTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return t.next.RoundTrip(req)
	}
	key := req.URL.String()
	t.mu.Lock()
	known, ok := t.answers[key]
	t.mu.Unlock()
	if ok {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", known.etag)
	}
	resp, err := t.next.RoundTrip(req)
	switch {
	case err != nil:
		return nil, err
	case ok && resp.StatusCode == http.StatusNotModified:
		return t.replay(resp, known), nil
	case resp.StatusCode == http.StatusOK && resp.Header.Get("ETag") != "":
		return resp, t.keep(key, resp)
	default:
		return resp, nil
	}
}

// replay turns a 304 into the answer that it stands for.
func (t *conditionalTransport) replay(resp *http.Response, known answer) *http.Response {
	if t.onNotModified != nil {
		t.onNotModified()
	}
	resp.StatusCode, resp.Status = http.StatusOK, "200 OK"
	resp.Header.Set("Content-Type", "application/json; charset=utf-8")
	if known.link != "" {
		resp.Header.Set("Link", known.link)
	}
	resp.Body = io.NopCloser(bytes.NewReader(known.body))
	resp.ContentLength = int64(len(known.body))
	return resp
}

// keep remembers an answer.
func (t *conditionalTransport) keep(key string, resp *http.Response) error {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.answers[key]; !ok && len(t.answers) >= maxCached {
		clear(t.answers) // the first pages come back with the next poll; older ones are asked for once
	}
	t.answers[key] = answer{etag: resp.Header.Get("ETag"), link: resp.Header.Get("Link"), body: body}
	return nil
}

// forget drops every answer: one of them may be what could not be understood, and a 304 would give it again for ever.
func (t *conditionalTransport) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.answers)
}
