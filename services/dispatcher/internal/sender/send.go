package sender

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Request is one webhook, ready to be sent.
type Request struct {
	// Client makes the connections (see [github.com/neuron7x/mlsdm-integrations/internal/egress.Guard.Client]). Only its
	// Transport is used, so no redirect is followed.
	Client *http.Client
	// URL is where to; it has passed the guard's CheckURL.
	URL *url.URL
	// Header is complete but for what belongs to the connection. Send keeps it: it must not be changed afterwards.
	Header http.Header
	// Hidden are the names of headers whose values are secret.
	Hidden []string
	// HideURL says that the URL is a secret, and not only its query.
	HideURL bool
	// Body must not be changed afterwards, not even when Send is over: the transport may still be reading it.
	Body []byte
	// Timeout bounds the whole attempt, from the lookup of the name to the end of the answer; 0 is
	// [events.DefaultEndpointTimeout].
	Timeout time.Duration
}

// Send posts the webhook once. If ctx ends before there is an answer, the verdict is Interrupted, and whether the receiver
// took the webhook is not known.
//
// On a connection that was used before, and that the receiver closed without an answer, the webhook is posted once more: a
// receiver that tires of an idle connection would otherwise cost an attempt, and webhooks may arrive twice anyway.
func Send(ctx context.Context, r Request) Result {
	if r.Timeout <= 0 {
		r.Timeout = events.DefaultEndpointTimeout
	}
	t := newTracker()
	result := Result{At: t.start}
	var err error
	if result.Sent, err = r.check(); err != nil {
		result.Verdict, result.Class, result.Err = Misconfigured, events.ErrorClassEndpoint, err
		return result
	}
	attempt, cancel := context.WithTimeout(t.watch(ctx), r.Timeout)
	defer cancel()
	answer, err := r.Client.Transport.RoundTrip(r.request(attempt))
	if err != nil {
		result.Latency = time.Since(t.start)
		t.explain(ctx, err, r.Timeout, &result)
		return result
	}
	result.Status = answer.StatusCode
	result.Response = r.withoutSecrets(readAnswer(answer))
	_ = answer.Body.Close() // the status has said what there was to say
	result.Latency = time.Since(t.start)
	result.Timing = t.timing()
	judge(answer, t.start, &result)
	return result
}

// check refuses what must not be sent, and returns the headers as the record may show them.
func (r *Request) check() (map[string]string, error) {
	switch {
	case r.Client == nil || r.Client.Transport == nil:
		return nil, errors.New("the endpoint has no client to post with")
	case r.URL == nil || r.URL.Host == "":
		return nil, errors.New("the endpoint has no URL")
	case r.URL.User != nil:
		return nil, errors.New("the endpoint's URL holds a user name or a password; send them in the header Authorization")
	default:
		return recorded(r.Header, r.Hidden)
	}
}

// request is made by hand, because [http.NewRequestWithContext] would parse the URL again.
func (r *Request) request(ctx context.Context) *http.Request {
	body := r.Body
	request := &http.Request{
		Method: http.MethodPost, URL: r.URL, Host: r.URL.Host, Header: r.Header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if len(body) > 0 {
		request.ContentLength = int64(len(body))
		request.Body = io.NopCloser(bytes.NewReader(body))
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	return request.WithContext(ctx)
}
