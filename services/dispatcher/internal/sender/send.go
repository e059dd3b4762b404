package sender

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Request is one webhook, ready to be sent.
type Request struct {
	// Client makes the connections: one of [egress.Guard.Client]. Only its Transport is used, so no redirect is followed.
	Client *http.Client
	// URL is where to; it has passed the guard's CheckURL.
	URL *url.URL
	// Header is complete but for what belongs to the connection. Send checks it, and does not change it.
	Header []egress.Field
	// Hidden are the names of headers whose values are secret.
	Hidden []string
	// HideURL says that the URL is a secret, and not only its query.
	HideURL bool
	// Body must not be changed until Send is over.
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
	result := Result{At: time.Now()}
	poster, err := r.check()
	if err != nil {
		result.Verdict, result.Class, result.Err = Misconfigured, events.ErrorClassEndpoint, err
		return result
	}
	result.Sent = recorded(r.Header, r.Hidden)
	post := egress.Post{URL: r.URL, Header: r.Header, Body: r.Body, Deadline: result.At.Add(r.Timeout)}
	answer, err := poster.Post(ctx, &post)
	if err != nil {
		result.Latency = time.Since(result.At)
		explain(ctx, err, r.Timeout, &post.Progress, &result)
		return result
	}
	result.Status = answer.StatusCode
	result.Response = r.withoutSecrets(readAnswer(answer))
	_ = answer.Body.Close() // the status has said what there was to say
	result.Latency = time.Since(result.At)
	result.Timing = timing(&post.Progress)
	judge(answer, result.At, &result)
	return result
}

// check refuses what must not be sent, and returns what sends the rest.
func (r *Request) check() (egress.Poster, error) {
	if r.Client == nil {
		return nil, errNoClient()
	}
	poster, ok := r.Client.Transport.(egress.Poster)
	switch {
	case !ok:
		return nil, errNoClient()
	case r.URL == nil || r.URL.Host == "":
		return nil, errors.New("the endpoint has no URL")
	case r.URL.User != nil:
		return nil, errors.New("the endpoint's URL holds a user name or a password; send them in the header Authorization")
	default:
		return poster, nil
	}
}

func errNoClient() error { return errors.New("the endpoint has no client to post with") }

// timing returns where the time went.
func timing(p *egress.Progress) events.AttemptTiming {
	split := events.AttemptTiming{DNSMS: ms(p.Made.DNS), ConnectMS: ms(p.Made.Connect), TLSMS: ms(p.Made.TLS)}
	if !p.Answered.IsZero() {
		asked := p.Wrote
		if asked.IsZero() { // an answer may come before all was written
			asked = p.Connected
		}
		split.FirstByteMS = ms(p.Answered.Sub(asked))
	}
	return split
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
