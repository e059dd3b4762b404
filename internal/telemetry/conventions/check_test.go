package conventions_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/conventions"
)

// attrs makes attributes of keys and their values, in turn.
func attrs(pairs ...any) []attribute.KeyValue {
	var list []attribute.KeyValue
	for i := 0; i < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case string:
			list = append(list, attribute.KeyValue{Key: attribute.Key(key), Value: attribute.StringValue(v)})
		case int:
			list = append(list, attribute.KeyValue{Key: attribute.Key(key), Value: attribute.IntValue(v)})
		case float64:
			list = append(list, attribute.KeyValue{Key: attribute.Key(key), Value: attribute.Float64Value(v)})
		case bool:
			list = append(list, attribute.KeyValue{Key: attribute.Key(key), Value: attribute.BoolValue(v)})
		case []string:
			list = append(list, attribute.KeyValue{Key: attribute.Key(key), Value: attribute.StringSliceValue(v)})
		}
	}
	return list
}

// stub makes a span.
func stub(name string, kind trace.SpanKind, list []attribute.KeyValue) tracetest.SpanStub {
	now := time.Now()
	return tracetest.SpanStub{Name: name, SpanKind: kind, Attributes: list, StartTime: now, EndTime: now.Add(time.Millisecond)}
}

// remote is the context of a span in another process.
func remote() trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true})
}

// change changes a span that is right.
func change(s tracetest.SpanStub, f func(*tracetest.SpanStub)) tracetest.SpanStub {
	s.Attributes = append([]attribute.KeyValue(nil), s.Attributes...)
	f(&s)
	return s
}

// with sets attributes of a span, the last of a key being the one that counts.
func with(s tracetest.SpanStub, pairs ...any) tracetest.SpanStub {
	return change(s, func(s *tracetest.SpanStub) { s.Attributes = append(s.Attributes, attrs(pairs...)...) })
}

// without takes an attribute away.
func without(s tracetest.SpanStub, key string) tracetest.SpanStub {
	return change(s, func(s *tracetest.SpanStub) {
		kept := s.Attributes[:0]
		for _, kv := range s.Attributes {
			if string(kv.Key) != key {
				kept = append(kept, kv)
			}
		}
		s.Attributes = kept
	})
}

// failed makes a span one of a failure.
func failed(s tracetest.SpanStub, kind, description string) tracetest.SpanStub {
	return change(with(s, "error.type", kind), func(s *tracetest.SpanStub) {
		s.Status = sdktrace.Status{Code: codes.Error, Description: description}
	})
}

func publish() tracetest.SpanStub {
	return stub("publish mlsdm.events.ci.degraded", trace.SpanKindProducer, attrs(
		"messaging.system", "nats", "messaging.operation.name", "publish", "messaging.operation.type", "send",
		"messaging.destination.template", "mlsdm.events.ci.degraded", "messaging.destination.name", "mlsdm.events.ci.degraded",
		"messaging.message.id", "01JX9GZ2Y5S8V3T7QW4N6R1KMB", "messaging.nats.stream", "MLSDM_EVENTS", "messaging.nats.sequence", 7))
}

func process() tracetest.SpanStub {
	s := stub("process mlsdm.results.{caller}.{request}", trace.SpanKindConsumer, attrs(
		"messaging.system", "nats", "messaging.operation.name", "process", "messaging.operation.type", "process",
		"messaging.destination.template", "mlsdm.results.{caller}.{request}", "messaging.consumer.group.name", "router", "messaging.nats.num_delivered", 2))
	s.Parent, s.Links = remote(), []sdktrace.Link{{SpanContext: remote()}}
	return s
}

func chat() tracetest.SpanStub {
	return stub("chat gpt-4o-2024-08-06", trace.SpanKindClient, attrs(
		"gen_ai.operation.name", "chat", "gen_ai.provider.name", "openai", "gen_ai.request.model", "gpt-4o-2024-08-06",
		"gen_ai.request.stream", true, "gen_ai.request.temperature", 0.5, "gen_ai.response.finish_reasons", []string{"stop"},
		"gen_ai.usage.input_tokens", 12, "gen_ai.usage.cache_read.input_tokens", 10, "server.address", "api.openai.com", "server.port", 443))
}

func post() tracetest.SpanStub {
	return stub("POST /v1/embeddings", trace.SpanKindClient, attrs(
		"http.request.method", "POST", "url.template", "/v1/embeddings", "url.full", "https://api.openai.com/v1/embeddings",
		"server.address", "api.openai.com", "server.port", 443, "http.response.status_code", 200))
}

func hook() tracetest.SpanStub {
	return stub("POST /webhooks/github", trace.SpanKindServer, attrs(
		"http.request.method", "POST", "http.route", "/webhooks/github", "url.path", "/webhooks/github", "url.scheme", "http",
		"http.response.status_code", 401))
}

func get() tracetest.SpanStub {
	return stub("get mlsdm_ci", trace.SpanKindClient, attrs("db.system.name", "nats", "db.operation.name", "get", "db.collection.name", "mlsdm_ci"))
}

func TestCheck(t *testing.T) {
	t.Parallel()
	rename := func(s tracetest.SpanStub, name string) tracetest.SpanStub {
		return change(s, func(s *tracetest.SpanStub) { s.Name = name })
	}
	as := func(s tracetest.SpanStub, kind trace.SpanKind) tracetest.SpanStub {
		return change(s, func(s *tracetest.SpanStub) { s.SpanKind = kind })
	}
	for name, c := range map[string]struct {
		span tracetest.SpanStub
		want string // a part of the one violation; empty is none
	}{
		"publish":                   {publish(), ""},
		"process":                   {process(), ""},
		"process for who waits":     {as(without(process(), "messaging.consumer.group.name"), trace.SpanKindServer), ""},
		"chat":                      {chat(), ""},
		"client":                    {post(), ""},
		"server that refuses":       {hook(), ""},
		"database":                  {get(), ""},
		"a failure":                 {failed(publish(), "unavailable", "unavailable"), ""},
		"a failed answer":           {failed(with(post(), "http.response.status_code", 503), "503", ""), ""},
		"an answer that breaks off": {failed(post(), "reset", ""), ""},
		"of nobody's convention":    {stub("render", trace.SpanKindInternal, attrs("mlsdm.endpoint.id", "shop")), ""},

		"an id in its name":           {stub("handle 0af7651916cd43dd8448eb211c80319c", trace.SpanKindInternal, nil), "holds an id"},
		"a ULID in its name":          {stub("handle 01JX9GZ2Y5S8V3T7QW4N6R1KMB", trace.SpanKindInternal, nil), "holds an id"},
		"a UUID in its name":          {stub("handle 550e8400-e29b-41d4-a716-446655440000", trace.SpanKindInternal, nil), "holds an id"},
		"a number in its name":        {stub("handle 12345", trace.SpanKindInternal, nil), "holds an id"},
		"the id of its endpoint":      {stub("deliver to my-shop", trace.SpanKindInternal, attrs("mlsdm.endpoint.id", "my-shop")), "holds an id"},
		"no name":                     {stub(" ", trace.SpanKindInternal, nil), "no name"},
		"a very long name":            {stub(strings.Repeat("x", 200), trace.SpanKindInternal, nil), "200 bytes"},
		"failed without a type":       {without(failed(publish(), "unavailable", ""), "error.type"), "error.type is missing"},
		"a type without a failure":    {with(publish(), "error.type", "unavailable"), "status is not Error"},
		"a sentence for a type":       {failed(publish(), "the server said no", ""), "no kind of error"},
		"a payload in its status":     {failed(publish(), "invalid", strings.Repeat("payload ", 40)), "description"},
		"a key that nobody allows":    {with(publish(), "messaging.nats.body", "x"), "not on the list"},
		"a key of no convention":      {with(publish(), "process.pid", 7), "no convention"},
		"a key that is out of use":    {with(get(), "db.system", "nats"), "out of use: db.system.name"},
		"a key on an event":           {change(publish(), func(s *tracetest.SpanStub) { s.Events = []sdktrace.Event{{Name: "x", Attributes: attrs("body", "x")}} }), "of an event: body"},
		"a key on a link":             {change(process(), func(s *tracetest.SpanStub) { s.Links[0].Attributes = attrs("body", "x") }), "of a link: body"},
		"a wrong type":                {with(without(post(), "server.port"), "server.port", "443"), "server.port is a STRING"},
		"a port alone":                {with(publish(), "server.port", 4222), "without server.address"},
		"an end before the start":     {change(publish(), func(s *tracetest.SpanStub) { s.EndTime = s.StartTime.Add(-time.Second) }), "ends before"},
		"attributes that do not fit":  {change(publish(), func(s *tracetest.SpanStub) { s.DroppedAttributes = 1 }), "did not fit"},
		"publish under a wrong name":  {rename(publish(), "send mlsdm.events.ci.degraded"), "its name should be"},
		"publish of a wrong kind":     {as(publish(), trace.SpanKindInternal), "should be a producer"},
		"publish to nowhere":          {rename(without(without(publish(), "messaging.destination.template"), "messaging.destination.name"), "publish"), "messaging.destination.name or .template is missing"},
		"publish without a system":    {without(publish(), "messaging.system"), "messaging.system is missing"},
		"an unknown operation":        {as(with(publish(), "messaging.operation.type", "publish"), trace.SpanKindInternal), "should be one of"},
		"process without its group":   {without(process(), "messaging.consumer.group.name"), "messaging.consumer.group.name is missing"},
		"process without its link":    {change(process(), func(s *tracetest.SpanStub) { s.Links = nil }), "not linked"},
		"process before the first":    {with(process(), "messaging.nats.num_delivered", 0), "counts from 1"},
		"settle that produces":        {rename(as(with(publish(), "messaging.operation.name", "ack", "messaging.operation.type", "settle"), trace.SpanKindProducer), "ack mlsdm.events.ci.degraded"), "should be a client"},
		"chat of no provider":         {without(chat(), "gen_ai.provider.name"), "gen_ai.provider.name is missing"},
		"chat under a wrong name":     {rename(chat(), "chat"), "its name should be"},
		"chat with the old system":    {with(chat(), "gen_ai.system", "openai"), "out of use: gen_ai.provider.name"},
		"chat that serves":            {as(chat(), trace.SpanKindServer), "should be a client"},
		"chat of an unknown kind":     {rename(with(chat(), "gen_ai.operation.name", "talk"), "talk gpt-4o-2024-08-06"), "should be one of"},
		"chat that does not stream":   {with(chat(), "gen_ai.request.stream", false), "only when it is true"},
		"chat with one choice":        {with(chat(), "gen_ai.request.choice.count", 1), "only when it is not 1"},
		"chat whose tokens are fewer": {with(chat(), "gen_ai.usage.cache_read.input_tokens", 13), "counts those of the cache"},
		"a client under a wrong name": {rename(post(), "HTTP POST"), "its name should be"},
		"a client of nobody":          {without(post(), "url.full"), "url.full is missing"},
		"a client that tells secrets": {with(post(), "url.full", "https://user:pass@api.openai.com/v1/embeddings"), "user info"},
		"a client's first attempt":    {with(post(), "http.request.resend_count", 0), "resend_count"},
		"a client that is refused":    {with(post(), "http.response.status_code", 404), "status is not Error"},
		"a client with another type":  {failed(with(post(), "http.response.status_code", 404), "not_found", ""), "should be the status"},
		"a client of the old method":  {with(post(), "http.method", "POST"), "out of use: http.request.method"},
		"a server without a scheme":   {without(hook(), "url.scheme"), "url.scheme is missing"},
		"a server to blame":           {with(hook(), "http.response.status_code", 500), "status is not Error"},
		"a server not to blame":       {failed(hook(), "401", ""), "no failure of a server"},
		"HTTP inside":                 {as(hook(), trace.SpanKindInternal), "a client or a server"},
		"a database without a name":   {rename(without(get(), "db.operation.name"), ""), "db.operation.name is missing"},
		"a database that serves":      {as(get(), trace.SpanKindServer), "should be a client"},
		"a database under a key":      {rename(get(), "get my-key"), "its name should be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := conventions.Check(c.span.Snapshot())
			if c.want == "" {
				require.Empty(t, wrong)
				return
			}
			require.NotEmpty(t, wrong)
			require.Contains(t, strings.Join(wrong, "\n"), c.want)
		})
	}
}

// A span that violates several rules is told of all of them, in the same order each time.
func TestCheckTellsAll(t *testing.T) {
	t.Parallel()
	bad := stub("process 123456", trace.SpanKindProducer, attrs("messaging.system", "nats", "messaging.operation", "process", "http.url", "x"))
	wrong := conventions.Check(bad.Snapshot())
	require.GreaterOrEqual(t, len(wrong), 4)
	require.Equal(t, wrong, conventions.Check(bad.Snapshot()))
	for _, w := range wrong {
		require.True(t, strings.HasPrefix(w, `span "process 123456": `), w)
	}
}
