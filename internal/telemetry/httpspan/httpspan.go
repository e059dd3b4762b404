// Package httpspan makes spans of the HTTP requests that a process sends, by OpenTelemetry's stable conventions for HTTP clients
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
//
// What a span tells of a URL is its scheme, its host and the template of its path. The path itself, the query and the user info
// never get there: webhook addresses and tokens are such paths, and names of repositories and of secrets too.
package httpspan

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Options are how requests become spans.
type Options struct {
	// Template returns what stands for the path of a request, such as /repos/{owner}/{repo}: of low cardinality, and with nothing
	// in it that is secret. "", as well as no function, is none; then the span's name is the method alone.
	Template func(*http.Request) string
	// Propagate sends traceparent and tracestate to the server.
	Propagate bool
	// ChildrenOnly makes a span only of a request whose context has one that is recorded: for what is asked again and again, and
	// is worth a trace only as a part of one.
	ChildrenOnly bool
}

// Transport returns a transport that makes a CLIENT span of every request that base sends. The span ends when the head of the
// answer is there or the request has failed, as the conventions want it where a body may be left unread; it says how long the
// server thought, not how long its answer was. With a tracer that does nothing, and nothing to propagate, it is base itself. A tracer
// of nil is that of the span in the context of each request; there are then spans of children only.
func Transport(base http.RoundTripper, tracer trace.Tracer, o Options) http.RoundTripper {
	if tracer == nil {
		o.ChildrenOnly = true
	}
	if _, nothing := tracer.(noop.Tracer); nothing && !o.Propagate {
		return base
	}
	return &transport{base: base, tracer: tracer, options: o}
}

type transport struct {
	base    http.RoundTripper
	tracer  trace.Tracer
	options Options
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if r.URL == nil || t.options.ChildrenOnly && !trace.SpanFromContext(ctx).IsRecording() {
		return t.base.RoundTrip(r)
	}
	tracer := t.tracer
	if tracer == nil {
		tracer = trace.SpanFromContext(ctx).TracerProvider().Tracer("github.com/neuron7x/mlsdm-integrations/internal/telemetry/httpspan")
	}
	template := ""
	if t.options.Template != nil {
		template = clean(t.options.Template(r))
	}
	ctx, span := tracer.Start(ctx, Name(r.Method, template), trace.WithSpanKind(trace.SpanKindClient))
	defer span.End() // also should base panic
	if span.IsRecording() {
		describe(span, r, template)
	}
	r = r.WithContext(ctx)
	if t.options.Propagate && span.SpanContext().IsValid() {
		if r.Header = r.Header.Clone(); r.Header == nil {
			r.Header = make(http.Header)
		}
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	}
	answer, err := t.base.RoundTrip(r)
	if span.IsRecording() {
		conclude(span, answer, err)
	}
	return answer, err
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// TraceParent returns the value of the header traceparent that continues a span, of version 00 of W3C Trace Context; nothing for a
// span context that is none.
func TraceParent(sc trace.SpanContext) string {
	if !sc.IsValid() {
		return ""
	}
	traceID, spanID := sc.TraceID(), sc.SpanID()
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	text := append(make([]byte, 0, length), "00-"...)
	text = append(hex.AppendEncode(text, traceID[:]), '-')
	text = append(hex.AppendEncode(text, spanID[:]), '-')
	return string(hex.AppendEncode(text, []byte{byte(sc.TraceFlags() & (trace.FlagsSampled | trace.FlagsRandom))}))
}

// Name returns the name of the span of a request: its method, and the template if there is one.
func Name(method, template string) string {
	method, _ = methodOf(method)
	if method == otherMethod {
		method = "HTTP"
	}
	if template == "" {
		return method
	}
	return method + " " + template
}

// describe says what is asked.
func describe(span trace.Span, r *http.Request, template string) {
	method, known := methodOf(r.Method)
	span.SetAttributes(attribute.String("http.request.method", method))
	if !known {
		const longest = 32 // the conventions want the original; it may be anybody's
		span.SetAttributes(attribute.String("http.request.method_original", r.Method[:min(len(r.Method), longest)]))
	}
	if template != "" {
		span.SetAttributes(attribute.String("url.template", template))
	}
	SetServer(span, r.URL, template)
	if n := resends(r); n > 0 {
		span.SetAttributes(attribute.Int("http.request.resend_count", n))
	}
}

// SetServer says where a request goes: server.address, server.port, and of the URL what may be told of it. template stands for
// the path, and may be empty.
func SetServer(span trace.Span, u *url.URL, template string) {
	span.SetAttributes(
		attribute.String("server.address", u.Hostname()),
		attribute.Int("server.port", port(u)),
		attribute.String("url.full", u.Scheme+"://"+u.Host+template),
	)
}

// conclude says what came of it.
func conclude(span trace.Span, answer *http.Response, err error) {
	if err != nil {
		span.SetAttributes(attribute.String("error.type", ErrorType(err)))
		span.SetStatus(codes.Error, "")
		return
	}
	SetStatus(span, answer.StatusCode)
	if version := versionOf(answer); version != "" {
		span.SetAttributes(attribute.String("network.protocol.version", version))
	}
}

// SetStatus says which status a server answered with. From 400 on it is an error.
func SetStatus(span trace.Span, status int) {
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusBadRequest {
		span.SetAttributes(attribute.String("error.type", strconv.Itoa(status)))
		span.SetStatus(codes.Error, "") // the status says it all
	}
}

// otherMethod stands for methods that the conventions do not know.
const otherMethod = "_OTHER"

// methodOf returns a method as the conventions write it.
func methodOf(method string) (name string, known bool) {
	switch method {
	case "":
		return http.MethodGet, true // as net/http has it
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect,
		http.MethodOptions, http.MethodTrace, "QUERY":
		return method, true
	default:
		return otherMethod, false
	}
}

// clean cuts off what has no place in a template.
func clean(template string) string {
	if i := strings.IndexAny(template, "?#"); i >= 0 {
		template = template[:i]
	}
	if template != "" && template[0] != '/' {
		template = "/" + template
	}
	return template
}

// port returns the port that a URL leads to.
func port(u *url.URL) int {
	if n, err := strconv.Atoi(u.Port()); err == nil {
		return n
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// versionOf returns the version of HTTP by which a server answered: 1.1, 2, 3.
func versionOf(answer *http.Response) string {
	switch answer.ProtoMajor {
	case 0:
		return ""
	case 1:
		return "1." + strconv.Itoa(answer.ProtoMinor)
	default:
		return strconv.Itoa(answer.ProtoMajor)
	}
}

// resendKey is the key of a context's resend count.
type resendKey struct{}

// WithResend returns a context whose requests are the nth repetition of one that was sent before; 0 is the first request itself.
func WithResend(ctx context.Context, n int) context.Context {
	if n == 0 && ctx.Value(resendKey{}) == nil {
		return ctx
	}
	return context.WithValue(ctx, resendKey{}, n)
}

// resends returns how often a request has been sent before: what its caller says, and the redirects that net/http followed.
func resends(r *http.Request) int {
	n, _ := r.Context().Value(resendKey{}).(int)
	for before := r.Response; before != nil && before.Request != nil; before = before.Request.Response {
		n++
	}
	return n
}
