package generator_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
)

// Each protocol is spoken where its servers listen, with the key where they look for it, whether a provider comes from the file or from
// settings.
func TestProtocols(t *testing.T) {
	t.Parallel()
	const openAI = `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",` +
		`"content":"hi there"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`
	for name, c := range map[string]struct {
		provider string   // in the file, at $x
		settings []string // or in settings, at $x
		path     string
		header   string
		key      string
		answer   string
	}{
		"openai": {
			`{protocol: openai, base_url: "$x", keys: ["$key"]}`,
			[]string{"OPENAI_API_KEY=$key", "OPENAI_BASE_URL=$x"},
			"/v1/chat/completions", "Authorization", "Bearer " + llmtest.Key, openAI,
		},
		"azure": {
			`{protocol: azure, base_url: "$x", keys: ["$key"]}`, nil,
			"/v1/chat/completions", "Api-Key", llmtest.Key, openAI,
		},
		"huggingface": {
			`{protocol: huggingface, base_url: "$x", keys: ["$key"]}`,
			[]string{"HUGGINGFACE_API_KEY=$key", "HUGGINGFACE_BASE_URL=$x"},
			"/v1/chat/completions", "Authorization", "Bearer " + llmtest.Key, openAI,
		},
		"anthropic": {
			`{protocol: anthropic, base_url: "$x", keys: ["$key"]}`,
			[]string{"ANTHROPIC_API_KEY=$key", "ANTHROPIC_BASE_URL=$x"},
			"/v1/messages", "X-Api-Key", llmtest.Key,
			`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi there"}],` +
				`"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}`,
		},
		"cohere": {
			`{protocol: cohere, base_url: "$root/v2", keys: ["$key"]}`,
			[]string{"COHERE_API_KEY=$key", "COHERE_BASE_URL=$root/v2"},
			"/v2/chat", "Authorization", "Bearer " + llmtest.Key,
			`{"id":"c","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"hi there"}]},` +
				`"usage":{"billed_units":{"input_tokens":1,"output_tokens":2},"tokens":{"input_tokens":1,"output_tokens":2}}}`,
		},
		"ollama": {
			`{protocol: ollama, base_url: "$root"}`,
			[]string{"OLLAMA_BASE_URL=$root"},
			"/api/chat", "Authorization", "",
			`{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"hi there"},"done":true,` +
				`"done_reason":"stop","prompt_eval_count":1,"eval_count":2}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, inFile := range []bool{true, false} {
				if !inFile && c.settings == nil {
					continue
				}
				r := newRig(t)
				x := r.server(t, "x")
				fill := func(text string) string {
					return strings.NewReplacer("$x", x.URL, "$root", strings.TrimSuffix(x.URL, "/v1")).Replace(text)
				}
				model := "mine/m"
				if inFile {
					r.start(t, "providers:\n  mine: "+fill(c.provider)+"\n")
				} else {
					environment := make([]string, len(c.settings))
					for i, setting := range c.settings {
						environment[i] = strings.Replace(fill(setting), "$key", llmtest.Key, 1)
					}
					r.start(t, "", environment...)
					model = name + "/m"
				}
				x.Script(llmtest.Answer(http.StatusOK, c.answer))
				res := response(t, r.Ask(t, interactive, []byte(`{"model":"`+model+`","prompt":"hello"}`)))
				require.Equal(t, "hi there", res.Choices[0].Message.Content.Text)
				require.Equal(t, model, res.Model)
				require.Equal(t, "stop", res.Choices[0].FinishReason)
				require.Equal(t, 3, res.Usage.TotalTokens)
				require.Len(t, x.Requests(), 1)
				require.Equal(t, c.path, x.Requests()[0].Path)
				require.Equal(t, c.key, x.Requests()[0].Header.Get(c.header))
			}
		})
	}
}
