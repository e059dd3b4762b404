// Package otlptest is a collector in the test's own process, which takes traces by OTLP over HTTP and over gRPC and keeps them.
package otlptest

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // exporters may compress
	"google.golang.org/protobuf/proto"
)

// maxRequest bounds what is read of a request, in bytes.
const maxRequest = 64 << 20

// Receiver is a collector. Make one with [Start].
type Receiver struct {
	// HTTP and GRPC are the endpoints of both protocols, as OTEL_EXPORTER_OTLP_ENDPOINT has them.
	HTTP, GRPC string

	mu    sync.Mutex
	spans []Span
}

// Span is a span as it was received.
type Span struct {
	Service, Scope string // the resource's service.name, and the instrumentation scope
	Resource       map[string]any
	*traces.Span
}

// Start starts a collector on two free loopback ports. It ends with the test.
func Start(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", r.serve)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r.HTTP = server.URL

	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	calls := grpc.NewServer(grpc.MaxRecvMsgSize(maxRequest))
	collector.RegisterTraceServiceServer(calls, service{receiver: r})
	done := make(chan error, 1)
	go func() { done <- calls.Serve(listener) }()
	t.Cleanup(func() {
		calls.Stop()
		require.NoError(t, <-done)
	})
	r.GRPC = "http://" + listener.Addr().String()
	return r
}

// Spans returns what was received so far, in that order.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Trace returns those of Spans that are of a trace.
func (r *Receiver) Trace(id [16]byte) []Span {
	return slices.DeleteFunc(r.Spans(), func(s Span) bool { return [16]byte(s.GetTraceId()) != id })
}

// serve takes traces over HTTP.
func (r *Receiver) serve(w http.ResponseWriter, req *http.Request) {
	var body io.Reader = http.MaxBytesReader(w, req.Body, maxRequest)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = io.LimitReader(z, maxRequest)
	}
	data, err := io.ReadAll(body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(data, &request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.take(request.GetResourceSpans())
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// service takes traces over gRPC.
type service struct {
	collector.UnimplementedTraceServiceServer

	receiver *Receiver
}

// Export implements [collector.TraceServiceServer].
func (s service) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	s.receiver.take(request.GetResourceSpans())
	return &collector.ExportTraceServiceResponse{}, nil
}

// take keeps spans.
func (r *Receiver) take(resources []*traces.ResourceSpans) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range resources {
		about := Attributes(resource.GetResource().GetAttributes())
		name, _ := about["service.name"].(string)
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				r.spans = append(r.spans, Span{Service: name, Scope: scope.GetScope().GetName(), Resource: about, Span: span})
			}
		}
	}
}

// Attributes returns attributes by their keys: string, bool, int64, float64, []byte, or a list of such.
func Attributes(list []*common.KeyValue) map[string]any {
	found := make(map[string]any, len(list))
	for _, a := range list {
		found[a.GetKey()] = value(a.GetValue())
	}
	return found
}

// value returns the value of an attribute.
func value(v *common.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_BoolValue:
		return v.BoolValue
	case *common.AnyValue_IntValue:
		return v.IntValue
	case *common.AnyValue_DoubleValue:
		return v.DoubleValue
	case *common.AnyValue_BytesValue:
		return v.BytesValue
	case *common.AnyValue_ArrayValue:
		list := make([]any, 0, len(v.ArrayValue.GetValues()))
		for _, one := range v.ArrayValue.GetValues() {
			list = append(list, value(one))
		}
		return list
	default:
		return nil
	}
}
