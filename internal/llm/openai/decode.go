package openai

import "github.com/neuron7x/mlsdm-integrations/pkg/events"

// decode reads a whole answer.
func (a *Adapter) decode(text []byte, out *answer) error {
	r, ok := a.readers.Get().(*reader)
	if !ok {
		r = new(reader)
	}
	r.start(text)
	r.answer(out)
	read := r.done()
	a.readers.Put(r)
	if read {
		return nil
	}
	*out = answer{}
	return a.Decode(text, out)
}

// answer reads what is known of an answer.
func (r *reader) answer(out *answer) {
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "id":
			seen.add(r, 0)
			out.ID = r.text("")
		case "object":
			seen.add(r, 1)
			out.Object = r.text(events.ObjectChatCompletion)
		case "created":
			seen.add(r, 2)
			out.Created = r.whole()
		case "model":
			seen.add(r, 3)
			out.Model = r.text("")
		case "system_fingerprint":
			seen.add(r, 4)
			out.SystemFingerprint = r.text("")
		case "service_tier":
			seen.add(r, 5)
			out.ServiceTier = r.text("default")
		case "usage":
			seen.add(r, 6)
			out.Usage = r.usage(&out.counted)
		case "error":
			seen.add(r, 7)
			out.Error = r.value()
		case "choices":
			seen.add(r, 8)
			r.choices(out)
		default:
			r.skip(maxDepth)
		}
	}
}

// choices reads those of an answer.
func (r *reader) choices(out *answer) {
	if r.null() {
		return
	}
	out.Choices = out.one[:0]
	for more := r.open('[', ']'); more; more = r.next(']') {
		out.Choices = append(out.Choices, answerChoice{})
		r.choice(&out.Choices[len(out.Choices)-1], out)
	}
}

// choice reads one of them.
func (r *reader) choice(choice *answerChoice, out *answer) {
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "index":
			seen.add(r, 0)
			choice.Index = int(r.whole())
		case "message":
			seen.add(r, 1)
			if r.null() {
				break
			}
			if choice.Message = &out.said; len(out.Choices) > 1 {
				choice.Message = new(reply)
			}
			r.reply(choice.Message)
		case "finish_reason":
			seen.add(r, 2)
			choice.FinishReason = r.text(events.FinishStop)
		case "logprobs":
			seen.add(r, 3)
			choice.Logprobs = r.value()
		default:
			r.skip(maxDepth)
		}
	}
}

// reply reads a message.
func (r *reader) reply(out *reply) {
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "content":
			seen.add(r, 0)
			out.Content = r.content()
		case "refusal":
			seen.add(r, 1)
			out.Refusal = r.text("")
		case "reasoning_content":
			seen.add(r, 2)
			out.ReasoningContent = r.text("")
		case "reasoning":
			seen.add(r, 3)
			out.Reasoning = r.value()
		case "tool_calls":
			seen.add(r, 4)
			out.ToolCalls = r.calls()
		case "annotations":
			seen.add(r, 5)
			out.Annotations = r.value()
		default:
			r.skip(maxDepth)
		}
	}
}

// content reads a content that is a text, or null.
func (r *reader) content() said {
	if r.null() {
		return said{events.Content{Null: true}}
	}
	return said{events.Content{Text: r.text("")}}
}

// calls reads tool calls, or pieces of some.
func (r *reader) calls() (calls []toolCall) {
	if r.null() {
		return nil
	}
	for more := r.open('[', ']'); more; more = r.next(']') {
		if len(calls) == maxCalls { // more are not believed, and memory is not made for them
			r.giveUp()
			break
		}
		calls = append(calls, toolCall{})
		r.call(&calls[len(calls)-1])
	}
	return calls
}

// call reads one of them.
func (r *reader) call(out *toolCall) {
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "index":
			seen.add(r, 0)
			if !r.null() {
				index := int(r.whole())
				out.Index = &index
			}
		case "id":
			seen.add(r, 1)
			out.ID = r.text("")
		case "type":
			seen.add(r, 2)
			out.Type = r.text(typeFunction)
		case "function":
			seen.add(r, 3)
			if !r.null() {
				r.function(out)
			}
		default:
			r.skip(maxDepth)
		}
	}
}

// function reads the function of a call.
func (r *reader) function(out *toolCall) {
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "name":
			seen.add(r, 0)
			out.Function.Name = r.text("")
		case "arguments":
			seen.add(r, 1)
			out.Function.Arguments = arguments(r.text("")) // those that are an object are left to package json
		default:
			r.skip(maxDepth)
		}
	}
}

// usage reads a count of tokens into out.
func (r *reader) usage(out *usage) *usage {
	if r.null() {
		return nil
	}
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "prompt_tokens":
			seen.add(r, 0)
			out.PromptTokens = int(r.whole())
		case "completion_tokens":
			seen.add(r, 1)
			out.CompletionTokens = int(r.whole())
		case "total_tokens":
			seen.add(r, 2)
			out.TotalTokens = int(r.whole())
		case "prompt_tokens_details":
			seen.add(r, 3)
			r.promptDetails(out)
		case "completion_tokens_details":
			seen.add(r, 4)
			r.completionDetails(out)
		case "prompt_cache_hit_tokens":
			seen.add(r, 5)
			out.CacheHit = int(r.whole())
		default:
			r.skip(maxDepth)
		}
	}
	return out
}

// promptDetails reads what is said of the tokens of the prompt.
func (r *reader) promptDetails(out *usage) {
	if r.null() {
		return
	}
	out.Prompt = new(promptDetails)
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "cached_tokens":
			seen.add(r, 0)
			out.Prompt.Cached = int(r.whole())
		case "cache_write_tokens":
			seen.add(r, 1)
			out.Prompt.CacheWrite = int(r.whole())
		default:
			r.skip(maxDepth)
		}
	}
}

// completionDetails reads what is said of the tokens of the answer.
func (r *reader) completionDetails(out *usage) {
	if r.null() {
		return
	}
	out.Completion = new(completionDetails)
	var seen names
	for more := r.open('{', '}'); more; more = r.next('}') {
		switch string(r.name()) {
		case "reasoning_tokens":
			seen.add(r, 0)
			out.Completion.Reasoning = int(r.whole())
		default:
			r.skip(maxDepth)
		}
	}
}
