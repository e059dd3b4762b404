package natstrace_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/neuron7x/mlsdm-integrations/natstrace"
)

// parent is the span of the publisher.
const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
	parent  = "00-" + traceID + "-" + spanID + "-01"
)

// recorded is a bridge and what it has recorded.
type recorded struct {
	*natstrace.Bridge
	spans *tracetest.InMemoryExporter
}

func record(options ...natstrace.Option) recorded {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	options = append([]natstrace.Option{natstrace.Template(template)}, options...)
	return recorded{natstrace.New(provider, options...), spans}
}

// template leaves the last token of a subject out.
func template(subject string) string {
	family, _, _ := strings.Cut(subject, ".")
	return family + ".{id}"
}

// tree writes the spans below that of the publisher, a line each, indented, in the order of their names.
func (r recorded) tree() string {
	var b strings.Builder
	stubs := r.spans.GetSpans()
	slices.SortStableFunc(stubs, func(a, b tracetest.SpanStub) int { return strings.Compare(a.Name, b.Name) })
	var write func(under, indent string)
	write = func(under, indent string) {
		for _, s := range stubs {
			if s.Parent.SpanID().String() == under {
				fmt.Fprintf(&b, "%s%s", indent, s.Name)
				if s.Status.Description != "" {
					fmt.Fprintf(&b, " (%s)", s.Status.Description)
				}
				b.WriteByte('\n')
				write(s.SpanContext.SpanID().String(), indent+"  ")
			}
		}
	}
	write(spanID, "")
	return b.String()
}

// attributes returns those of the first span of a name.
func (r recorded) attributes(t *testing.T, name string) map[string]any {
	t.Helper()
	for _, s := range r.spans.GetSpans() {
		if s.Name == name {
			found := map[string]any{}
			for _, a := range s.Attributes {
				found[string(a.Key)] = a.Value.AsInterface()
			}
			return found
		}
	}
	require.Fail(t, "no span", "%s in\n%s", name, r.tree())
	return nil
}

// said writes an event of a server called "a".
func said(header, steps string) []byte { return saidBy("a", header, steps) }

func saidBy(server, header, steps string) []byte {
	return fmt.Appendf(nil, `{"server":{"name":%q,"host":"0.0.0.0","id":"ID-%s","cluster":"C","ver":"2.15.2","jetstream":true,"seq":1,"time":"2026-01-02T03:04:06Z"},`+
		`"request":{"header":{%s},"msgsize":120},"hops":1,"events":[%s]}`, server, server, header, steps)
}

const (
	traced = `"traceparent":["` + parent + `"],"Nats-Msg-Id":["m-1"]`
	in     = `{"type":"in","ts":"2026-01-02T03:04:05.000000001Z","kind":0,"cid":7,"name":"shop","acc":"A","subj":"orders.1"}`
	stored = `{"type":"js","ts":"2026-01-02T03:04:05.002Z","stream":"ORDERS","subject":"orders.1"}`
)

func TestAMessageThatGoesIntoAStream(t *testing.T) {
	t.Parallel()
	r := record()
	require.NoError(t, r.Handle(said(traced, in+","+stored)))
	require.Equal(t, "store ORDERS\n", r.tree())
	require.Equal(t, map[string]any{
		"messaging.system": "nats", "messaging.operation.name": "store", "messaging.destination.template": "orders.{id}",
		"messaging.message.id": "m-1", "messaging.message.envelope.size": int64(120), "messaging.destination.name": "ORDERS", "messaging.nats.stream": "ORDERS", "messaging.nats.account": "A",
		"messaging.nats.peer.kind": "client", "messaging.nats.peer.name": "shop",
		"messaging.nats.server.name": "a", "messaging.nats.server.id": "ID-a", "messaging.nats.server.cluster": "C", "messaging.nats.server.version": "2.15.2",
	}, r.attributes(t, "store ORDERS"))
	span := r.spans.GetSpans()[0]
	require.Equal(t, traceID, span.SpanContext.TraceID().String())
	require.NotEqual(t, spanID, span.SpanContext.SpanID().String())
	require.True(t, span.Parent.IsRemote())
	require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 1, time.UTC), span.StartTime.UTC())
	require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 2_000_000, time.UTC), span.EndTime.UTC())
	require.Equal(t, natstrace.ScopeName, span.InstrumentationScope.Name)
}

func TestAMessageThatIsRouted(t *testing.T) {
	t.Parallel()
	r := record()
	require.NoError(t, r.Handle(said(traced, in+`,
		{"type":"sm","ts":"2026-01-02T03:04:05.001Z","to":"archive.1"},
		{"type":"si","ts":"2026-01-02T03:04:05.001Z","acc":"B","from":"orders.1","to":"b.1"},
		{"type":"se","ts":"2026-01-02T03:04:05.001Z","acc":"D","to":"d.1"},
		`+stored+`,
		{"type":"eg","ts":"2026-01-02T03:04:05.003Z","kind":0,"cid":8,"name":"till","acc":"B","sub":"orders.*","queue":"tills"},
		{"type":"eg","ts":"2026-01-02T03:04:05.004Z","kind":0,"cid":7,"name":"shop","sub":"orders.*","error":"Not delivered because of no echo"},
		{"type":"eg","ts":"2026-01-02T03:04:05.004Z","kind":0,"cid":9,"sub":"orders.*","error":"Not delivered because client is closed"},
		{"type":"something new","ts":"2026-01-02T03:04:05.004Z","what":{}},
		{"type":"eg","ts":"2026-01-02T03:04:05.005Z","kind":1,"cid":10,"name":"b","hop":"1"}`)))
	require.Equal(t, `route orders.{id}
  deliver orders.{id}
  deliver orders.{id} (client_closed)
  forward orders.{id}
  store ORDERS
`, r.tree())
	route := r.attributes(t, "route orders.{id}")
	require.EqualValues(t, 4, route["messaging.nats.egress.count"])
	require.Equal(t, "archive.{id}", route["messaging.nats.mapped.template"])
	require.Equal(t, []string{"B"}, route["messaging.nats.service_imports"])
	require.Equal(t, []string{"D"}, route["messaging.nats.stream_exports"])
	deliver := r.attributes(t, "deliver orders.{id}")
	require.Equal(t, "till", deliver["messaging.nats.peer.name"])
	require.Equal(t, "tills", deliver["messaging.nats.queue"])
	require.Equal(t, "B", deliver["messaging.nats.account"])
	forward := r.attributes(t, "forward orders.{id}")
	require.Equal(t, "route", forward["messaging.nats.peer.kind"])
	require.Equal(t, "1", forward["messaging.nats.hop"])
}

// Subjects hold ids and names: without a template none of them is told.
func TestWithoutATemplateNoSubjectIsTold(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	bridge := natstrace.New(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	require.NoError(t, bridge.Handle(said(traced, in+`,{"type":"eg","ts":"2026-01-02T03:04:05.003Z","kind":0,"cid":8,"sub":"orders.1"}`)))
	text, err := json.Marshal(spans.GetSpans())
	require.NoError(t, err)
	require.Contains(t, string(text), `"Name":"route"`)
	require.NotContains(t, string(text), "orders")
}

// A message that is stored twice and kept once has not failed; one that the stream refuses has.
func TestWhatAStreamRefuses(t *testing.T) {
	t.Parallel()
	for said, word := range map[string]string{
		"msgid is duplicate": "", "maximum messages exceeded": "stream_full", "wrong last sequence: 7": "wrong_last_sequence",
		"expected stream does not match": "wrong_stream", "message size exceeds maximum allowed": "message_too_large", "no idea": "_OTHER",
	} {
		r := record()
		step := strings.Replace(stored, `"stream"`, fmt.Sprintf(`"error":%q,"stream"`, said), 1)
		require.NoError(t, r.Handle(fmt.Appendf(nil, `{"request":{"header":{%s}},"events":[%s,%s]}`, traced, in, step)))
		got := r.attributes(t, "store ORDERS")
		if word == "" {
			require.Equal(t, true, got["messaging.nats.duplicate"])
			require.NotContains(t, got, "error.type")
			continue
		}
		require.Equal(t, word, got["error.type"])
	}
	r := record()
	require.NoError(t, r.Handle(said(traced, strings.Replace(in, `"cid"`, `"error":"maximum payload exceeded","cid"`, 1))))
	require.Equal(t, "route orders.{id} (message_too_large)\n", r.tree())
}

// Whoever publishes writes the header's name as they like, and other languages do.
func TestTheParentInAnyLetterCase(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"traceparent", "Traceparent", "TRACEPARENT", "TraceParent"} {
		r := record()
		require.NoError(t, r.Handle(said(`"`+name+`":["`+parent+`"],"Tracestate":["x=1"]`, in+","+stored)), name)
		require.Equal(t, "store ORDERS\n", r.tree())
		require.Equal(t, "x=1", r.spans.GetSpans()[0].SpanContext.TraceState().String())
	}
	r := record() // the server looks for one that is sampled
	require.NoError(t, r.Handle(said(`"traceparent":["00-`+traceID+`-1111111111111111-00","`+parent+`"]`, in+","+stored)))
	require.Equal(t, "store ORDERS\n", r.tree())
}

func TestWhatIsNotSampledIsIgnored(t *testing.T) {
	t.Parallel()
	r := record()
	for _, header := range []string{
		``, `"traceparent":[]`, `"traceparent":["x"]`, `"traceparent":["00-` + traceID + "-" + spanID + `-00"]`,
		`"traceparent":["00-00000000000000000000000000000000-` + spanID + `-01"]`, `"traceparent":["00-` + traceID + `-0000000000000000-01"]`,
	} {
		require.NoError(t, r.Handle(said(header, in+","+stored)), header)
	}
	require.Empty(t, r.spans.GetSpans())
	require.EqualValues(t, 6, r.Counts().Unsampled)
}

func TestWhatIsHandledTwiceIsOneSpan(t *testing.T) {
	t.Parallel()
	r := record()
	for range 3 {
		require.NoError(t, r.Handle(said(traced, in+","+stored)))
	}
	require.NoError(t, r.Handle(said(traced, strings.Replace(in, "05.000000001Z", "05.000000002Z", 1)+","+stored)))
	require.Equal(t, "store ORDERS\nstore ORDERS\n", r.tree())
	require.EqualValues(t, 2, r.Counts().Duplicates)
	for n := range 5000 { // the memory has an end
		require.NoError(t, r.Handle(said(traced, strings.Replace(in, "05.000000001Z", fmt.Sprintf("05.1%08dZ", n), 1)+","+stored)))
	}
	require.NoError(t, r.Handle(said(traced, in+","+stored)))
	require.EqualValues(t, 2, r.Counts().Duplicates, "too long ago")
}

// three servers: a sends to b, b to c.
func chain() (a, b, c []byte) {
	hop := func(n string) string { return traced + `,"Nats-Trace-Hop":["` + n + `"]` }
	routed := strings.Replace(in, `"kind":0`, `"kind":1`, 1)
	return saidBy("a", traced, in+`,{"type":"eg","ts":"2026-01-02T03:04:05.005Z","kind":1,"cid":10,"name":"b","hop":"1"}`),
		saidBy("b", hop("1"), routed+`,{"type":"eg","ts":"2026-01-02T03:04:05.005Z","kind":4,"cid":10,"name":"c","hop":"1.1"}`),
		saidBy("c", hop("1.1"), strings.Replace(in, `"kind":0`, `"kind":4`, 1)+","+stored)
}

const chained = `route orders.{id}
  forward orders.{id}
    route orders.{id}
      forward orders.{id}
        store ORDERS
`

// What several servers say comes in any order.
func TestHopsOfSeveralServersInAnyOrder(t *testing.T) {
	t.Parallel()
	a, b, c := chain()
	for _, order := range [][][]byte{{a, b, c}, {a, c, b}, {b, a, c}, {b, c, a}, {c, a, b}, {c, b, a}, {c, c, b, b, a, a}} {
		r := record(natstrace.Patience(time.Hour))
		for _, one := range order {
			require.NoError(t, r.Handle(one))
		}
		require.Equal(t, chained, r.tree())
		require.Zero(t, r.Counts().Held)
		require.Zero(t, r.Counts().Orphans)
	}
}

// The word of a server may never come, or too late: what the next one says belongs to the trace all the same.
func TestAHopThatIsMissing(t *testing.T) {
	t.Parallel()
	a, b, c := chain()
	synctest.Test(t, func(t *testing.T) {
		r := record()
		require.NoError(t, r.Handle(a))
		require.NoError(t, r.Handle(c))
		require.Equal(t, "route orders.{id}\n  forward orders.{id}\n", r.tree())
		require.EqualValues(t, 1, r.Counts().Held)
		<-time.After(natstrace.DefaultPatience)
		synctest.Wait()
		require.Equal(t, "route orders.{id}\n  forward orders.{id}\nstore ORDERS\n", r.tree())
		require.EqualValues(t, 1, r.Counts().Orphans)
		require.NoError(t, r.Handle(b))
		require.Contains(t, r.tree(), "    route orders.{id}\n      forward orders.{id}\n", "late, and in its place")
	})
}

func TestCloseWaitsForNothing(t *testing.T) {
	t.Parallel()
	_, b, c := chain()
	r := record(natstrace.Patience(time.Hour))
	require.NoError(t, r.Handle(c))
	require.Empty(t, r.tree())
	r.Close()
	require.Equal(t, "store ORDERS\n", r.tree())
	require.NoError(t, r.Handle(b))
	require.Zero(t, r.Counts().Held)
}

// A publisher cannot place its message below that of another.
func TestAPublishersHopIsItsOwnInvention(t *testing.T) {
	t.Parallel()
	r := record(natstrace.Patience(time.Hour))
	require.NoError(t, r.Handle(said(traced+`,"Nats-Trace-Hop":["1"]`, in+","+stored)))
	require.Equal(t, "store ORDERS\n", r.tree())
}

func TestCompressedEvents(t *testing.T) {
	t.Parallel()
	zip := func(data []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write(data)
		require.NoError(t, err)
		require.NoError(t, z.Close())
		return b.Bytes()
	}
	r := record()
	require.NoError(t, r.Handle(zip(said(traced, in+","+stored))))
	require.Equal(t, "store ORDERS\n", r.tree())
	require.ErrorIs(t, r.Handle(zip(bytes.Repeat([]byte(" "), 64<<20))), natstrace.ErrTooLarge, "a bomb")
	require.ErrorIs(t, r.Handle([]byte("\x1f\x8bgarbage, that is")), natstrace.ErrInvalid)
	require.ErrorIs(t, r.Handle([]byte("\xff\x06\x00\x00sNaPpY...")), natstrace.ErrCompressed)
}
