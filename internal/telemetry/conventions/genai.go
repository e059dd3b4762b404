package conventions

import (
	"regexp"

	"go.opentelemetry.io/otel/trace"
)

// provider is what the name of a provider looks like.
var provider = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

// genAI holds a span against https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md.
func (s *subject) genAI() {
	s.needs("gen_ai.operation.name", "gen_ai.provider.name")
	s.among("gen_ai.operation.name", "chat", "create_agent", "embeddings", "execute_tool", "generate_content", "invoke_agent",
		"invoke_workflow", "retrieval", "text_completion")
	s.among("gen_ai.output.type", "text", "json", "image", "speech")
	if name := s.text("gen_ai.provider.name"); name != "" && !provider.MatchString(name) {
		s.violates("gen_ai.provider.name is %q, which is no name of a provider", name)
	}
	operation := s.text("gen_ai.operation.name")
	if model := s.text("gen_ai.request.model"); model != "" {
		s.named(operation + " " + model)
	} else {
		s.named(operation)
	}
	if kind := s.span.SpanKind(); kind != trace.SpanKindClient && kind != trace.SpanKindInternal {
		s.violates("it is a %s; it should be a client, or internal for a model in the process", kind)
	}
	if s.has("gen_ai.request.stream") && !s.attrs["gen_ai.request.stream"].AsBool() {
		s.violates("gen_ai.request.stream stands there only when it is true")
	}
	if n, ok := s.number("gen_ai.request.choice.count"); ok && n == 1 {
		s.violates("gen_ai.request.choice.count stands there only when it is not 1")
	}
	if total, ok := s.number("gen_ai.usage.input_tokens"); ok {
		read, _ := s.number("gen_ai.usage.cache_read.input_tokens")
		written, _ := s.number("gen_ai.usage.cache_creation.input_tokens")
		if read+written > total {
			s.violates("gen_ai.usage.input_tokens is %d; it counts those of the cache too, which are %d", total, read+written)
		}
	}
	if s.span.SpanKind() == trace.SpanKindInternal && s.has("server.address") {
		s.violates("a model in the process has no server.address")
	}
}
