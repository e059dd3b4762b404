package watch

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/httpspan"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// poster posts recoveries to whoever is to carry them out, at addresses that the operator chose.
type poster struct {
	client  *http.Client
	version string
}

func newPoster(version string) *poster {
	return &poster{version: version, client: &http.Client{
		Timeout:       actTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: httpspan.Transport(&http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: actTimeout}).DialContext,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: actTimeout,
			ResponseHeaderTimeout: actTimeout, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		}, nil, httpspan.Options{Propagate: true}),
	}}
}

// post posts a recovery, signed as the Standard Webhooks are. The webhook's id is the recovery's: a receiver that was posted to twice, because
// a crash came between its answer and what was to be written about that, can tell.
func (l *leader) post(ctx context.Context, s tracker.State, rule policy.Rule, r tracker.Recovery) error {
	_, told := triggered(s, rule, r.ID)
	if len(told) == 0 {
		return events.Errorf(events.CodeInternal, "the recovery %s is not in the state", r.ID)
	}
	now := time.Now()
	body, err := json.Marshal(map[string]any{"type": told[0].Payload.EventType(), "timestamp": told[0].Time, "data": told[0].Payload})
	if err != nil {
		return fmt.Errorf("writing a recovery as JSON: %w", err)
	}
	signer, err := webhook.New(rule.Recovery.Secret.Reveal())
	if err != nil {
		return events.Errorf(events.CodeFailedPrecondition, "the secret of the rule's webhook cannot be used: %w", err)
	}
	header, err := signer.Sign(r.ID, now, body)
	if err != nil {
		return events.Errorf(events.CodeFailedPrecondition, "the webhook cannot be signed: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, rule.Recovery.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return events.Errorf(events.CodeFailedPrecondition, "the rule's webhook has no usable URL") // which may be a secret, and is in the error
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "mlsdm-ciwatch/"+l.poster.version)
	if err := forge.Allowed(ctx); err != nil {
		return err
	}
	resp, err := l.poster.client.Do(req)
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "the rule's webhook cannot be posted: %w", withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }()                      // what it says does not matter
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	return errorOf(resp.StatusCode)
}

// withoutURL is what went wrong with a request, without where it went to: the address may be a secret.
func withoutURL(err error) error {
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return failure.Err
	}
	return err
}
