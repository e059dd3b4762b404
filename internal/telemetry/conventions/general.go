package conventions

import (
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/scrub"
)

// Bounds of what can be searched for and counted.
const (
	maxName        = 160 // bytes of a name
	maxDescription = 120 // bytes of a status's description, which is a code or a few words
)

// general holds a span against the rules for all spans.
func (s *subject) general() {
	s.name()
	s.status()
	s.known("", s.span.Attributes())
	for _, link := range s.span.Links() {
		if !link.SpanContext.IsValid() {
			s.violates("a link leads nowhere")
		}
		s.known("of a link: ", link.Attributes)
	}
	for _, event := range s.span.Events() {
		if s.identifies(event.Name) {
			s.violates("the name of its event %q holds an id", event.Name)
		}
		s.known("of an event: ", event.Attributes)
	}
	if s.span.EndTime().Before(s.span.StartTime()) {
		s.violates("it ends before it starts")
	}
	if n := s.span.DroppedAttributes() + s.span.DroppedEvents() + s.span.DroppedLinks(); n > 0 {
		s.violates("%d attributes, events or links did not fit in", n)
	}
	if s.has("server.port") && !s.has("server.address") {
		s.violates("server.port stands without server.address")
	}
}

// name checks that spans of one kind share a name.
func (s *subject) name() {
	name := s.span.Name()
	switch {
	case strings.TrimSpace(name) == "":
		s.violates("it has no name")
	case len(name) > maxName:
		s.violates("its name has %d bytes; at most %d are allowed", len(name), maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		s.violates("its name has control characters")
	}
	if model := s.text("gen_ai.request.model"); model != "" { // which may have a date in its name, and of which there are few
		name = strings.TrimSuffix(name, model)
	}
	if s.identifies(name) {
		s.violates("its name holds an id")
	}
}

// ids are what ids look like: a UUID, a ULID, a hash, a number.
var ids = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-|[0-9A-HJKMNP-TV-Z]{26}|[0-9a-fA-F]{16}|[0-9]{4}`)

// identifies reports whether a name would be another one for another message.
func (s *subject) identifies(name string) bool {
	if ids.MatchString(name) {
		return true
	}
	for key, value := range s.attrs {
		const shortest = 6 // what is shorter may stand there by chance
		if id := value.AsString(); isID(key) && len(id) >= shortest && strings.Contains(name, id) {
			return true
		}
	}
	return false
}

// isID reports whether an attribute tells one message, request or receiver from another.
func isID(key attribute.Key) bool {
	switch key {
	case "messaging.message.id", "messaging.message.conversation_id", "gen_ai.response.id", "mlsdm.caller":
		return true
	}
	return strings.HasPrefix(string(key), "mlsdm.") && strings.HasSuffix(string(key), ".id")
}

// status checks that a failure, and nothing else, says of what kind it is.
func (s *subject) status() {
	status, kind := s.span.Status(), s.text("error.type")
	switch {
	case status.Code == codes.Error && kind == "":
		s.violates("it failed, and error.type is missing")
	case status.Code != codes.Error && s.has("error.type"):
		s.violates("error.type is %q, and its status is not Error", kind)
	case strings.ContainsAny(kind, " \n") || len(kind) > maxDescription || ids.MatchString(kind):
		s.violates("error.type is %q, which is no kind of error", kind)
	}
	if len(status.Description) > maxDescription || strings.ContainsAny(status.Description, "\n\r") {
		s.violates("the description of its status has %d bytes; it should be a code or a few words", len(status.Description))
	}
}

// known checks that attributes are of a convention or ours, are not out of use, and have the right type.
func (s *subject) known(where string, attrs []attribute.KeyValue) {
	if len(attrs) == 0 {
		return
	}
	old, listed := deprecated(), slices.Concat(scrub.Keys(), scrub.ContentKeys())
	for _, kv := range attrs {
		key := string(kv.Key)
		switch instead, gone := old[key]; {
		case gone:
			s.violates("%s%s is out of use: %s", where, key, instead)
		case !slices.Contains(listed, key):
			s.violates("%s%s is not on the list of what may leave the process (internal/telemetry/scrub/keys.go)", where, key)
		case !namespaced(key):
			s.violates("%s%s is of no convention; what is ours stands under mlsdm. or messaging.nats.", where, key)
		}
		if want, known := typeOf(key); known && kv.Value.Type() != want {
			s.violates("%s%s is a %s; it should be a %s", where, key, kv.Value.Type(), want)
		}
	}
}

// namespaced reports whether a key is of a convention that we follow, or ours.
func namespaced(key string) bool {
	first, _, _ := strings.Cut(key, ".")
	return slices.Contains([]string{
		"db", "error", "exception", "gen_ai", "http", "messaging", "mlsdm", "network", "openai", "rpc", "server", "service", "url",
	}, first)
}
