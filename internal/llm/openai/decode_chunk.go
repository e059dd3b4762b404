package openai

import "github.com/neuron7x/mlsdm-integrations/pkg/events"

// decode reads one event of the stream.
func (s *stream) decode(text []byte) error {
	was := s.in
	choices := s.in.Choices[:0]
	s.in = chunk{Choices: choices}
	s.reader.start(text)
	s.reader.chunk(&s.in, &was)
	if s.reader.done() {
		return nil
	}
	s.in = chunk{Choices: choices}
	return s.a.Decode(text, &s.in)
}

// chunk reads what is known of one. was is the one before it, with which it has most texts in common.
func (r *reader) chunk(out, was *chunk) {
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "id":
			seen.add(r, 0)
			out.ID = r.text(was.ID)
		case "object":
			seen.add(r, 1)
			out.Object = r.text(events.ObjectChatCompletionChunk)
		case "created":
			seen.add(r, 2)
			out.Created = r.whole()
		case "model":
			seen.add(r, 3)
			out.Model = r.text(was.Model)
		case "system_fingerprint":
			seen.add(r, 4)
			out.SystemFingerprint = r.text(was.SystemFingerprint)
		case "service_tier":
			seen.add(r, 5)
			out.ServiceTier = r.text(was.ServiceTier)
		case "usage":
			seen.add(r, 6)
			if !r.null() {
				out.Usage = r.usage(new(usage))
			}
		case "error":
			seen.add(r, 7)
			out.Error = r.value()
		case "choices":
			seen.add(r, 8)
			r.pieces(out)
		default:
			r.skip(maxDepth)
		}
	}
}

// pieces reads what a chunk adds to choices.
func (r *reader) pieces(out *chunk) {
	if r.null() {
		return
	}
	for more := r.open('[', ']'); more; more = r.next(']') {
		out.Choices = append(out.Choices, chunkChoice{})
		r.piece(&out.Choices[len(out.Choices)-1])
	}
}

// piece reads what it adds to one.
func (r *reader) piece(out *chunkChoice) {
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "index":
			seen.add(r, 0)
			out.Index = int(r.whole())
		case "delta":
			seen.add(r, 1)
			if !r.null() {
				r.delta(&out.Delta)
			}
		case "finish_reason":
			seen.add(r, 2)
			out.FinishReason = r.text(events.FinishStop)
		case "logprobs":
			seen.add(r, 3)
			out.Logprobs = r.value()
		default:
			r.skip(maxDepth)
		}
	}
}

// delta reads the added piece.
func (r *reader) delta(out *delta) {
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "role":
			seen.add(r, 0)
			out.Role = r.text(events.RoleAssistant)
		case "content":
			seen.add(r, 1)
			out.Content = r.content()
		case "refusal":
			seen.add(r, 2)
			out.Refusal = r.text("")
		case "reasoning_content":
			seen.add(r, 3)
			out.ReasoningContent = r.text("")
		case "reasoning":
			seen.add(r, 4)
			out.Reasoning = r.value()
		case "tool_calls":
			seen.add(r, 5)
			out.ToolCalls = r.calls()
		case "annotations":
			seen.add(r, 6)
			out.Annotations = r.value()
		default:
			r.skip(maxDepth)
		}
	}
}
