// Package target holds the webhook endpoints of a running dispatcher: what each of them wants, in which form, signed how,
// and when it is tried again.
package target

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/body"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/schedule"
)

// Parts is what an [Endpoint] is made of. What it refers to belongs to the endpoint from then on.
type Parts struct {
	// Spec is what the operator wrote.
	Spec events.EndpointSpec
	// URL is where webhooks are posted to, references resolved. It may be nil only when Broken is not.
	URL *url.URL
	// Header is the endpoint's own headers, references resolved, under canonical names.
	Header http.Header
	// Hidden names the headers whose values must not be recorded, under canonical names.
	Hidden []string
	// Keys sign, the newest first.
	Keys []Key
	// Client sends.
	Client *http.Client
	// Source, Revision, CreatedAt, UpdatedAt and Shown are for people, see [events.Endpoint].
	Source    string
	Revision  uint64
	CreatedAt time.Time
	UpdatedAt time.Time
	Shown     []events.EndpointKey
	// Broken is why nothing can be sent, for example a reference that cannot be resolved; nil when all is well.
	Broken error
}

// Key is one signing key.
type Key struct {
	// Signer makes its signatures.
	Signer webhook.Signer
	// BodySecret is the text of a key of method v1, for the header X-Webhook-Signature; empty for other methods.
	BodySecret secret.Value
	// ExpiresAt is when it signs no more; zero is never.
	ExpiresAt time.Time
}

// Endpoint is a receiver of webhooks, ready to be used. It is immutable and safe for concurrent use.
type Endpoint struct {
	parts    Parts
	timeout  time.Duration
	schedule schedule.Schedule
	filter   *filter.Filter // nil wants all that the patterns do
	signing  signing
	fields   []egress.Field // the endpoint's own headers
}

// New makes an endpoint. Errors are an [events.Error]; they quote neither the URL nor a secret.
func New(p Parts) (*Endpoint, error) {
	e := &Endpoint{parts: p, timeout: events.DefaultEndpointTimeout, fields: fields(p.Header)}
	var err error
	if e.schedule, err = schedule.Parse(p.Spec.Retry); err != nil {
		return nil, err
	}
	if p.Spec.Timeout != "" {
		if e.timeout, err = time.ParseDuration(p.Spec.Timeout); err != nil {
			return nil, events.Errorf(events.CodeInvalidArgument, "timeout is %.40q; it is a duration such as 1.5s", p.Spec.Timeout)
		}
	}
	if err := checkPatterns(p.Spec.Events); err != nil {
		return nil, err
	}
	if e.filter, err = compileFilter(p.Spec.Filter); err != nil {
		return nil, err
	}
	e.parts.Hidden = hidden(p)
	if p.Broken == nil {
		if err := e.arm(); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// arm makes ready what an endpoint needs that can send.
func (e *Endpoint) arm() (err error) {
	if err := checkTarget(e.parts.URL, e.parts.Spec.TLS); err != nil {
		return err
	}
	e.signing, err = newSigning(e.parts.Keys, wantsBodySignature(e.parts.Spec))
	return err
}

// ID returns the endpoint's id.
func (e *Endpoint) ID() string { return e.parts.Spec.ID }

// Spec returns what the operator wrote. What it refers to must not be changed.
func (e *Endpoint) Spec() events.EndpointSpec { return e.parts.Spec }

// URL returns where webhooks are posted to, which may hold secrets and must not be changed; nil when the endpoint is
// [Endpoint.Broken].
func (e *Endpoint) URL() *url.URL { return e.parts.URL }

// Header returns the endpoint's own headers, which may hold secrets and must not be changed.
func (e *Endpoint) Header() http.Header { return e.parts.Header }

// Fields is [Endpoint.Header] as it is sent, and must not be changed either.
func (e *Endpoint) Fields() []egress.Field { return e.fields }

// Hidden names the headers whose values must not be recorded.
func (e *Endpoint) Hidden() []string { return e.parts.Hidden }

// Client returns what sends.
func (e *Endpoint) Client() *http.Client { return e.parts.Client }

// Timeout is how long one attempt may take.
func (e *Endpoint) Timeout() time.Duration { return e.timeout }

// Strict reports whether webhooks are delivered one at a time, in the order of their events.
func (e *Endpoint) Strict() bool { return e.parts.Spec.Ordering == events.OrderingStrict }

// Disabled reports whether the operator switched the endpoint off.
func (e *Endpoint) Disabled() bool { return e.parts.Spec.Disabled }

// Broken returns why nothing can be sent; nil when something can.
func (e *Endpoint) Broken() error { return e.parts.Broken }

// Schedule returns the waits between attempts.
func (e *Endpoint) Schedule() schedule.Schedule { return e.schedule }

// Body returns the body of an event in the endpoint's format, and its media type.
func (e *Endpoint) Body(ev events.Event) (text []byte, contentType string, err error) {
	return body.Render(e.parts.Spec.Format, ev)
}

// Wants reports whether the endpoint is to get an event: it is not disabled, one of its patterns fits, and its filter is
// true. News of deliveries and endpoints it gets only by their exact type, and never about itself.
func (e *Endpoint) Wants(facts *filter.Facts) bool {
	exact := noEcho(facts.Type())
	return e.takes(facts.Type(), exact) && e.accepts(facts, exact)
}

// takes reports whether the endpoint is on and one of its patterns fits a type, which only its exact name does when it is
// one of no echo.
func (e *Endpoint) takes(eventType string, exact bool) bool {
	switch patterns := e.parts.Spec.Events; {
	case e.parts.Spec.Disabled:
		return false
	case exact:
		return slices.Contains(patterns, eventType)
	case len(patterns) == 0:
		return true
	default:
		return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, eventType) })
	}
}

// accepts reports whether the endpoint wants an event of a type that it takes.
func (e *Endpoint) accepts(facts *filter.Facts, exact bool) bool {
	if exact && facts.Endpoint() == e.ID() {
		return false
	}
	if e.filter == nil {
		return true
	}
	matched, err := e.filter.Match(facts)
	return err == nil && matched // facts count what cannot be evaluated
}

// noEcho reports whether a type is news of deliveries or endpoints.
func noEcho(eventType string) bool {
	entry, known := events.FindType(eventType)
	return known && entry.NoEcho
}

// compileFilter compiles a filter, which may be left out.
func compileFilter(expression string) (*filter.Filter, error) {
	if expression == "" {
		return nil, nil //nolint:nilnil // no filter is no error
	}
	return filter.Compile(expression)
}
