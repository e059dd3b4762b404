package llmtest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// quoted writes a JSON string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return string(b)
}

// orNull writes a JSON string, or null for an empty one.
func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return quoted(s)
}

// openAIUsage writes a usage.
func openAIUsage(u Usage) string {
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":0},`+
		`"completion_tokens_details":{"reasoning_tokens":%d,"accepted_prediction_tokens":0}}`,
		u.Prompt, u.Completion, u.Prompt+u.Completion, u.Cached, u.Reasoning)
}

// openAIAnswer writes a whole answer as OpenAI does.
func openAIAnswer(r Reply) string {
	var choices []string
	for i, said := range r.Said {
		message := `"role":"assistant","content":` + orNull(said.Text) + `,"refusal":null,"annotations":[]`
		var calls []string
		for _, call := range said.Calls {
			calls = append(calls, fmt.Sprintf(`{"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}`, quoted(call.ID), quoted(call.Name), quoted(call.Arguments)))
		}
		if calls != nil {
			message += `,"tool_calls":[` + strings.Join(calls, ",") + `]`
		}
		choices = append(choices, fmt.Sprintf(`{"index":%d,"message":{%s},"logprobs":null,"finish_reason":%s}`, i, message, quoted(said.Finish)))
	}
	return `{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"m-2026","choices":[` + strings.Join(choices, ",") +
		`],"usage":` + openAIUsage(r.Usage) + `,"service_tier":"default","system_fingerprint":"fp_1"}`
}

// openAIChunk writes an event of a stream.
func openAIChunk(choices, usage string) string {
	return `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"m-2026","service_tier":"default",` +
		`"system_fingerprint":"fp_1","choices":[` + choices + `],"usage":` + usage + `,"obfuscation":"x1y2"}` + "\n\n"
}

// openAIStream writes the same as a stream.
func openAIStream(r Reply) []string {
	var pieces []string
	piece := func(index int, delta, finish string) {
		pieces = append(pieces, openAIChunk(fmt.Sprintf(`{"index":%d,"delta":{%s},"logprobs":null,"finish_reason":%s}`, index, delta, orNull(finish)), "null"))
	}
	for i, said := range r.Said {
		piece(i, `"role":"assistant","content":"","refusal":null`, "")
		for _, word := range Cut(said.Text) {
			piece(i, `"content":`+quoted(word), "")
		}
		for j, call := range said.Calls {
			piece(i, fmt.Sprintf(`"tool_calls":[{"index":%d,"id":%s,"type":"function","function":{"name":%s,"arguments":""}}]`, j, quoted(call.ID), quoted(call.Name)), "")
			for _, word := range Cut(call.Arguments) {
				piece(i, fmt.Sprintf(`"tool_calls":[{"index":%d,"function":{"arguments":%s}}]`, j, quoted(word)), "")
			}
		}
		piece(i, "", said.Finish)
	}
	return append(pieces, openAIChunk("", openAIUsage(r.Usage)), "data: [DONE]\n\n")
}

// openAIError writes an error.
func openAIError(message string) string {
	return `{"error":{"message":` + quoted(message) + `,"type":"server_error","param":null,"code":null}}`
}
