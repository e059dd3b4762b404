package genai

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/httpspan"
)

// optionTraceContext is the option of a provider that has its server know of traces.
const optionTraceContext = "trace_context"

// Clients are those by which providers are asked, on one pool of connections.
type Clients struct {
	// Quiet sends nothing about traces.
	Quiet *http.Client
	// telling sends trace context.
	telling *http.Client
}

// NewClients returns client, and one that sends trace context, both with a span for each request, below that of the attempt.
func NewClients(client *http.Client, tracer trace.TracerProvider) Clients {
	return Clients{Quiet: traced(client, tracer, false), telling: traced(client, tracer, true)}
}

// Of returns the client for a provider. Its server gets traceparent only if the option trace_context says so: it is for servers that the
// operator runs himself. To a vendor it says that requests belong to the same work, which is none of his business, and no use to anybody.
func (c Clients) Of(o *providers.Options) *http.Client {
	if o.Yes(optionTraceContext) {
		return c.telling
	}
	return c.Quiet
}

// traced returns client with spans, if there is somebody who makes them.
func traced(client *http.Client, tracer trace.TracerProvider, propagate bool) *http.Client {
	if _, none := tracer.(noop.TracerProvider); tracer == nil || none {
		return client
	}
	with := *client
	with.Transport = httpspan.Transport(client.Transport, tracer.Tracer("github.com/neuron7x/mlsdm-integrations/internal/llm"), httpspan.Options{
		Template: template, Propagate: propagate, ChildrenOnly: true,
	})
	return &with
}

// template is the path of a request to a provider, without the names of models in it. There are no others: a base URL has neither user
// nor query.
func template(r *http.Request) string {
	path := r.URL.Path
	for _, part := range [...]struct{ before, behind, name string }{
		{"/deployments/", "/", "{deployment}"}, // Azure
		{"/models/", "/pipeline/", "{model}"},  // Hugging Face, whose models have a slash in their names
	} {
		before, rest, found := strings.Cut(path, part.before)
		if !found {
			continue
		}
		end := strings.Index(rest, part.behind)
		if end < 0 {
			end = len(rest)
		}
		path = before + part.before + part.name + rest[end:]
	}
	return path
}
