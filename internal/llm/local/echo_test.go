package local_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestEchoAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request string
		content string
		finish  string
		tokens  int
	}{
		"prompt":            {`{"prompt":"hello there"}`, "echo: hello there", "stop", 3},
		"last user message": {`{"messages":[{"role":"user","content":"one"},{"role":"user","content":"two"},{"role":"assistant","content":"x"}]}`, "echo: two", "stop", 2},
		"parts":             {`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`, "echo: a\nb", "stop", 3},
		"white space":       {`{"prompt":" a \n b "}`, "echo:  a \n b ", "stop", 3},
		"nothing said":      {`{"messages":[{"role":"user","content":""}]}`, "echo: ", "stop", 1},
		"limit":             {`{"prompt":"a b c d","max_completion_tokens":3}`, "echo: a b ", "length", 3},
		"older limit":       {`{"prompt":"a b c d","max_tokens":1}`, "echo: ", "length", 1},
		"wide limit":        {`{"prompt":"a b","max_tokens":3}`, "echo: a b", "stop", 3},
		"stop":              {`{"prompt":"a b STOP c","stop":["STOP","zz"]}`, "echo: a b ", "stop", 3},
		"harmless settings": {`{"prompt":"a","temperature":0.1,"seed":1,"metadata":{},"tools":[],"response_format":{"type":"text"},"n":1}`, "echo: a", "stop", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var req events.ChatRequest
			require.NoError(t, json.Unmarshal([]byte(c.request), &req))
			require.NoError(t, req.Validate())
			res, err := local.Model{}.Chat(t.Context(), &llm.Call{Model: local.EchoModel, Request: &req})
			require.NoError(t, err)
			require.Equal(t, c.content, res.Choices[0].Message.Content.Text)
			require.Equal(t, c.finish, res.Choices[0].FinishReason)
			require.Equal(t, c.tokens, res.Usage.CompletionTokens)

			var words []string
			require.NoError(t, local.Model{}.Stream(t.Context(), &llm.Call{Model: local.EchoModel, Request: &req}, func(chunk *events.ChatChunk) error {
				for _, choice := range chunk.Choices {
					if choice.FinishReason == nil {
						words = append(words, choice.Delta.Content)
					}
				}
				return nil
			}))
			require.Equal(t, c.content, strings.Join(words, ""))
			require.Len(t, words, c.tokens, "a chunk for each word")
		})
	}
}

func TestEchoNeedsSomethingToRepeat(t *testing.T) {
	t.Parallel()
	_, err := local.Model{}.Chat(t.Context(), &llm.Call{Model: local.EchoModel, Request: &events.ChatRequest{
		Messages: []events.ChatMessage{{Role: events.RoleSystem, Content: events.TextContent("be brief")}},
	}})
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
}
