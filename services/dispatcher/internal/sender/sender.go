package sender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/endpoint"
)

// Sender posts webhooks. It is safe for concurrent use.
type Sender struct {
	client      *http.Client
	timeout     time.Duration
	userAgent   string
	traceParent *regexp.Regexp
}

// New returns a Sender that gives each attempt the timeout, from the first packet to the end of the answer. The client
// must follow no redirects and guard its connections (see [egress.Guard.Client]).
func New(client *http.Client, timeout time.Duration, userAgent string) *Sender {
	return &Sender{
		client: client, timeout: timeout, userAgent: userAgent,
		traceParent: regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`),
	}
}

// Send makes one attempt. If ctx ends during it, Err is ctx's error, and whether the receiver took the webhook is not
// known.
func (s *Sender) Send(ctx context.Context, to endpoint.Endpoint, d delivery.Delivery, traceParent string) Result {
	result := Result{At: time.Now()}
	request, err := s.request(ctx, to, d, traceParent, result.At)
	if err != nil {
		result.Err = retry.Permanent(err)
		return result
	}
	attempt, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	answer, err := s.client.Do(request.WithContext(attempt))
	if err != nil {
		result.Latency = time.Since(result.At)
		result.Err = s.explain(ctx, err)
		return result
	}
	defer answer.Body.Close()
	result.Status = answer.StatusCode
	result.Response = readAnswer(answer)
	result.Latency = time.Since(result.At)
	result.Err = mark(answer, result.At)
	return result
}

// request renders, signs and addresses the webhook.
func (s *Sender) request(ctx context.Context, to endpoint.Endpoint, d delivery.Delivery, traceParent string, at time.Time) (*http.Request, error) {
	body, err := delivery.Body(d.Event)
	if err != nil {
		return nil, err
	}
	header, err := to.Hook.Sign(delivery.WebhookID(d.Event), at, body)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("addressing the webhook: %w", withoutURL(err))
	}
	header.Set("Content-Type", events.ContentTypeJSON)
	header.Set("User-Agent", s.userAgent)
	if s.traceParent.MatchString(traceParent) { // it was the publisher's to choose: nothing else gets into our headers
		header.Set(events.HeaderTraceParent, traceParent)
	}
	request.Header = header
	return request, nil
}

// explain says why there is no answer.
func (s *Sender) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the attempt was interrupted: %w", ctx.Err())
	case errors.Is(err, egress.ErrBlocked):
		return retry.Permanent(withoutURL(err))
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s: %w", s.timeout, context.DeadlineExceeded)
	default:
		return fmt.Errorf("no answer: %w", short(withoutURL(err)))
	}
}

// short returns err, or what its text begins with when that is long.
func short(err error) error {
	text := err.Error()
	if len(text) <= maxReason {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:maxReason], "") + "…")
}

// withoutURL takes the URL out of an error of net/http: its query may hold a token.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// mark turns a status into what it means for the delivery.
func mark(answer *http.Response, now time.Time) error {
	status := answer.StatusCode
	if status >= 200 && status <= 299 {
		return nil
	}
	err := error(&StatusError{Status: status})
	switch status {
	case http.StatusGone:
		return retry.Permanent(err)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if wait := retryAfter(answer.Header.Get("Retry-After"), now); wait > 0 {
			return retry.After(err, wait)
		}
	}
	return err
}
