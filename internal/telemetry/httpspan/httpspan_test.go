package httpspan_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/httpspan"
)

// rig is a client whose requests are recorded.
type rig struct {
	recorder *tracetest.SpanRecorder
	tracer   trace.Tracer
}

func newRig() *rig {
	r := &rig{recorder: tracetest.NewSpanRecorder()}
	r.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.recorder)).Tracer("test")
	return r
}

func (r *rig) client(o httpspan.Options) *http.Client {
	return &http.Client{Transport: httpspan.Transport(&http.Transport{}, r.tracer, o)}
}

// only returns the one span that there is, and its attributes as text.
func (r *rig) only(t *testing.T) (sdktrace.ReadOnlySpan, map[string]string) {
	t.Helper()
	ended := r.recorder.Ended()
	require.Len(t, ended, 1)
	return ended[0], attributes(ended[0])
}

func attributes(span sdktrace.ReadOnlySpan) map[string]string {
	all := make(map[string]string)
	for _, kv := range span.Attributes() {
		all[string(kv.Key)] = kv.Value.String()
	}
	return all
}

func template(text string) func(*http.Request) string {
	return func(*http.Request) string { return text }
}

func serve(t *testing.T, handler http.HandlerFunc) *url.URL {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	return u
}

// do sends a request and returns the status.
func do(t *testing.T, client *http.Client, r *http.Request) int {
	t.Helper()
	answer, err := client.Do(r)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

func request(t *testing.T, ctx context.Context, method, to string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, to, body)
	require.NoError(t, err)
	return r
}

// TestSpan: the span has what the conventions want, and of what was sent nothing else.
func TestSpan(t *testing.T) {
	t.Parallel()
	r := newRig()
	seen := make(chan http.Header, 1)
	to := serve(t, func(w http.ResponseWriter, q *http.Request) {
		seen <- q.Header
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "canary-answer")
	})
	q := request(t, t.Context(), http.MethodPost,
		"http://canary-user:canary-password@"+to.Host+"/services/canary-path?token=canary-query#canary-fragment", strings.NewReader("canary-body"))
	q.Header.Set("X-Mine", "canary-header")
	header := q.Header.Clone()
	require.Equal(t, http.StatusCreated, do(t, r.client(httpspan.Options{Template: template("/services/{token}"), Propagate: true}), q))

	span, attrs := r.only(t)
	require.Equal(t, "POST /services/{token}", span.Name())
	require.Equal(t, trace.SpanKindClient, span.SpanKind())
	require.Equal(t, codes.Unset, span.Status().Code)
	require.Equal(t, map[string]string{
		"http.request.method": "POST", "url.template": "/services/{token}", "url.full": "http://" + to.Host + "/services/{token}",
		"server.address": to.Hostname(), "server.port": to.Port(), "http.response.status_code": "201", "network.protocol.version": "1.1",
	}, attrs)
	require.Equal(t, "00-"+span.SpanContext().TraceID().String()+"-"+span.SpanContext().SpanID().String()+"-01", (<-seen).Get("traceparent"))
	require.Equal(t, header, q.Header, "the request is its caller's")
	require.NotContains(t, fmt.Sprint(tracetest.SpanStubFromReadOnlySpan(span)), "canary")
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"GET", "/a/{b}", "GET /a/{b}"}, {"GET", "", "GET"}, {"", "", "GET"}, {"BREW", "", "HTTP"}, {"BREW", "/pot", "HTTP /pot"}, {"get", "", "HTTP"},
	} {
		require.Equal(t, c[2], httpspan.Name(c[0], c[1]), c)
	}
}

// TestOddRequests: what is not as usual is named as the conventions say.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	to := serve(t, func(http.ResponseWriter, *http.Request) {})

	r := newRig()
	do(t, r.client(httpspan.Options{Template: template("a?canary#canary")}), request(t, t.Context(), "BREWCOFFEEINAPOTTHATISMUCHTOOLONGFORIT", to.String(), nil))
	span, attrs := r.only(t)
	require.Equal(t, "HTTP /a", span.Name())
	require.Equal(t, "_OTHER", attrs["http.request.method"])
	require.Equal(t, "BREWCOFFEEINAPOTTHATISMUCHTOOLON", attrs["http.request.method_original"])
	require.Equal(t, to.String()+"/a", attrs["url.full"])

	r = newRig()
	do(t, r.client(httpspan.Options{}), request(t, t.Context(), http.MethodGet, to.String()+"/canary", nil))
	span, attrs = r.only(t)
	require.Equal(t, "GET", span.Name())
	require.Equal(t, to.String(), attrs["url.full"])
	require.NotContains(t, attrs, "url.template")
}

// TestPorts: those that a URL does not name are known.
func TestPorts(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"https://h.example/x": "443", "http://h.example": "80", "https://h.example:8443": "8443", "http://[2001:db8::1]:81": "81",
	} {
		r := newRig()
		u, err := url.Parse(to)
		require.NoError(t, err)
		_, span := r.tracer.Start(t.Context(), "GET")
		httpspan.SetServer(span, u, "")
		span.End()
		_, attrs := r.only(t)
		require.Equal(t, want, attrs["server.port"], to)
		require.Equal(t, u.Hostname(), attrs["server.address"])
	}
}

// TestStatus: from 400 on an answer is an error, and its type is the status.
func TestStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 204, 304, 399, 400, 404, 429, 500, 503} {
		to := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		r := newRig()
		do(t, r.client(httpspan.Options{}), request(t, t.Context(), http.MethodGet, to.String(), nil))
		span, attrs := r.only(t)
		require.Equal(t, strconv.Itoa(status), attrs["http.response.status_code"])
		if status < http.StatusBadRequest {
			require.Equal(t, codes.Unset, span.Status().Code)
			require.NotContains(t, attrs, "error.type")
			continue
		}
		require.Equal(t, codes.Error, span.Status().Code)
		require.Empty(t, span.Status().Description, "the status says it all")
		require.Equal(t, strconv.Itoa(status), attrs["error.type"])
	}
}

// TestResends: redirects and repetitions are counted.
func TestResends(t *testing.T) {
	t.Parallel()
	to := serve(t, func(w http.ResponseWriter, q *http.Request) {
		if n, _ := strconv.Atoi(q.URL.Path[1:]); n < 2 {
			http.Redirect(w, q, "/"+strconv.Itoa(n+1), http.StatusFound)
		}
	})
	r := newRig()
	do(t, r.client(httpspan.Options{}), request(t, t.Context(), http.MethodGet, to.String()+"/0", nil))
	ended := r.recorder.Ended()
	require.Len(t, ended, 3)
	require.NotContains(t, attributes(ended[0]), "http.request.resend_count")
	require.Equal(t, "1", attributes(ended[1])["http.request.resend_count"])
	require.Equal(t, "2", attributes(ended[2])["http.request.resend_count"])

	r = newRig()
	do(t, r.client(httpspan.Options{}), request(t, httpspan.WithResend(t.Context(), 4), http.MethodGet, to.String()+"/2", nil))
	_, attrs := r.only(t)
	require.Equal(t, "4", attrs["http.request.resend_count"])
	require.Equal(t, t.Context(), httpspan.WithResend(t.Context(), 0))
}

// TestChildrenOnly: what is only worth a trace as a part of one has none of its own.
func TestChildrenOnly(t *testing.T) {
	t.Parallel()
	to := serve(t, func(http.ResponseWriter, *http.Request) {})
	r := newRig()
	client := r.client(httpspan.Options{ChildrenOnly: true})
	do(t, client, request(t, t.Context(), http.MethodGet, to.String(), nil))
	require.Empty(t, r.recorder.Ended())

	ctx, parent := r.tracer.Start(t.Context(), "round")
	do(t, client, request(t, ctx, http.MethodGet, to.String(), nil))
	span, _ := r.only(t)
	require.Equal(t, parent.SpanContext().SpanID(), span.Parent().SpanID())
}

// TestNothingIsTraced: without a tracer there is no transport in between, and a trace that comes from elsewhere goes on.
func TestNothingIsTraced(t *testing.T) {
	t.Parallel()
	base := &http.Transport{}
	off := noop.NewTracerProvider().Tracer("")
	require.Same(t, base, httpspan.Transport(base, off, httpspan.Options{}))

	seen := make(chan string, 1)
	to := serve(t, func(_ http.ResponseWriter, q *http.Request) { seen <- q.Header.Get("traceparent") })
	client := &http.Client{Transport: httpspan.Transport(base, off, httpspan.Options{Propagate: true})}
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	do(t, client, request(t, ctx, http.MethodGet, to.String(), nil))
	require.Equal(t, "00-01000000000000000000000000000000-0200000000000000-00", <-seen)
	client.CloseIdleConnections()
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// TestNoAnswer: the type of the error is told, its text never.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"canceled":                   fmt.Errorf("canary: %w", context.Canceled),
		"timeout":                    &url.Error{Op: "Get", URL: "canary", Err: context.DeadlineExceeded},
		"name_resolution_error":      &net.OpError{Err: &net.DNSError{Err: "canary", Name: "canary", IsTimeout: true}},
		"server_certificate_invalid": &tls.CertificateVerificationError{Err: errors.New("canary")},
		"tls_error":                  &net.OpError{Op: "remote error", Err: tls.AlertError(40)},
		"connection_refused":         &net.OpError{Err: syscall.ECONNREFUSED},
		"connection_reset":           fmt.Errorf("canary: %w", io.ErrUnexpectedEOF),
		"_OTHER":                     fmt.Errorf("canary: %w", errors.New("canary")),
		"*net.AddrError":             fmt.Errorf("canary: %w", &net.AddrError{Err: "canary"}),
	} {
		r := newRig()
		client := &http.Client{Transport: httpspan.Transport(failing{err}, r.tracer, httpspan.Options{})}
		answer, err := client.Do(request(t, t.Context(), http.MethodGet, "http://h.example/canary", nil))
		if err == nil {
			require.NoError(t, answer.Body.Close())
		}
		require.Error(t, err)
		span, attrs := r.only(t)
		require.Equal(t, want, attrs["error.type"])
		require.Equal(t, codes.Error, span.Status().Code)
		require.NotContains(t, fmt.Sprint(tracetest.SpanStubFromReadOnlySpan(span)), "canary")
	}
	require.Empty(t, httpspan.ErrorType(nil))
}

// TestTracerOfTheContext: without a tracer of its own it is that of the span that a request is a part of.
func TestTracerOfTheContext(t *testing.T) {
	t.Parallel()
	to := serve(t, func(http.ResponseWriter, *http.Request) {})
	r := newRig()
	client := &http.Client{Transport: httpspan.Transport(&http.Transport{}, nil, httpspan.Options{})}
	do(t, client, request(t, t.Context(), http.MethodGet, to.String(), nil))
	require.Empty(t, r.recorder.Ended())
	ctx, parent := r.tracer.Start(t.Context(), "work")
	do(t, client, request(t, ctx, http.MethodGet, to.String(), nil))
	span, _ := r.only(t)
	require.Equal(t, parent.SpanContext().SpanID(), span.Parent().SpanID())
}
