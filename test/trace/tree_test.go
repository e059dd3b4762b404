package trace_test

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	traces "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/otlptest"
	"github.com/neuron7x/mlsdm-integrations/natstrace"
)

// shown are the attributes whose values are the same each time and say what a span is about. Of the others the keys are shown.
func shown() []string {
	return []string{
		"error.type", "gen_ai.request.model", "http.response.status_code", "messaging.nats.stream", "messaging.nats.settle",
		"mlsdm.delivery.attempt", "mlsdm.delivery.outcome", "mlsdm.event.type",
	}
}

// tree writes a trace as a tree that a person can read and that is the same each time: a span a line, with its kind, the service,
// what it failed of and what it links to, its attributes below it, and then what it is the parent of, in the order of the alphabet.
func tree(spans []otlptest.Span) string {
	below := map[string][]otlptest.Span{}
	names := map[string]string{}
	for _, s := range spans {
		names[id(s.GetSpanId())] = s.GetName()
	}
	for _, s := range spans {
		if isSometimes(s) {
			continue
		}
		parent := id(s.GetParentSpanId())
		if names[parent] == "" {
			parent = ""
		}
		below[parent] = append(below[parent], s)
	}
	var write func(parent, indent string) string
	write = func(parent, indent string) string {
		var parts []string
		for _, s := range below[parent] {
			parts = append(parts, indent+line(s, names)+"\n"+about(s, indent+"    . ")+write(id(s.GetSpanId()), indent+"  "))
		}
		slices.Sort(parts)
		return strings.Join(parts, "")
	}
	return write("", "")
}

// isSometimes reports whether a span is there only if something was slow: an operation of a store, a settlement, reading a stream.
func isSometimes(s otlptest.Span) bool {
	attributes := otlptest.Attributes(s.GetAttributes())
	if attributes["db.system.name"] != nil {
		return true
	}
	word, _, _ := strings.Cut(s.GetName(), " ")
	return slices.Contains([]string{"receive", "ack", "nak", "term"}, word)
}

// line is what a span is.
func line(s otlptest.Span, names map[string]string) string {
	who := s.Service
	if s.Scope == natstrace.ScopeName {
		who = "the broker" // by whichever service heard of it
	}
	text := fmt.Sprintf("%s  [%s, %s]", s.GetName(), strings.ToLower(strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_")), who)
	if s.GetStatus().GetCode() == traces.Status_STATUS_CODE_ERROR {
		text += "  FAILED " + s.GetStatus().GetMessage()
	}
	var links []string
	for _, l := range s.GetLinks() {
		links = append(links, names[id(l.GetSpanId())])
	}
	slices.Sort(links)
	for i, l := range links {
		links[i] = "  → " + l
	}
	return text + strings.Join(links, "")
}

// about writes the attributes of a span.
func about(s otlptest.Span, indent string) string {
	attributes := otlptest.Attributes(s.GetAttributes())
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		if key == "mlsdm.slow" || key == "mlsdm.kept" {
			continue // depends on how long things took
		}
		b.WriteString(indent + key)
		if slices.Contains(shown(), key) {
			fmt.Fprintf(&b, " = %v", attributes[key])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// id is the id of a span as text; empty for none.
func id(raw []byte) string { return hex.EncodeToString(raw) }
