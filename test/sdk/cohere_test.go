package sdk_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	cohere "github.com/cohere-ai/cohere-go/v2"
	cohereclient "github.com/cohere-ai/cohere-go/v2/client"
	cohereoption "github.com/cohere-ai/cohere-go/v2/option"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	ours "github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// command is a server that says one thing to everybody and keeps the last request, with one client of each kind.
type command struct {
	kind, body string

	mu   sync.Mutex
	sent string
	head http.Header
	path string

	theirs *cohereclient.Client
	ours   *ours.Client
}

// serveCommand starts the server.
func serveCommand(t *testing.T, kind, body string) *command {
	t.Helper()
	c := &command{kind: kind, body: body}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.theirs = cohereclient.NewClient(cohereoption.WithBaseURL(server.URL), cohereoption.WithToken("co-test-0123456789"),
		cohereoption.WithHTTPClient(server.Client()), cohereoption.WithMaxAttempts(1))
	var err error
	c.ours, err = ours.New(ours.Config{Provider: "cohere", BaseURL: server.URL, HTTP: server.Client()})
	require.NoError(t, err)
	return c
}

// ServeHTTP implements [http.Handler].
func (c *command) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	c.mu.Lock()
	c.sent, c.head, c.path = string(body), r.Header.Clone(), r.URL.Path
	c.mu.Unlock()
	w.Header().Set("Content-Type", c.kind)
	_, _ = io.WriteString(w, c.body) // who does not read it fails
}

// last is the last request.
func (c *command) last() (sent, path, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent, c.path, c.head.Get("Authorization")
}

// askCommand makes a call of ours.
func askCommand(t *testing.T, text string) *llm.Call {
	t.Helper()
	req := &events.ChatRequest{}
	require.NoError(t, json.Unmarshal([]byte(text), req))
	require.NoError(t, req.Validate())
	return &llm.Call{Model: "command-x", Request: req, Key: secret.NewValue("co-test-0123456789")}
}

// commandSays is a whole answer with all that the protocol has.
const commandSays = `{"id":"r1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"I will look.","content":[{"type":"thinking","thinking":"hm"},` +
	`{"type":"text","text":"Wait."}],"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}],"citations":[]},` +
	`"usage":{"billed_units":{"input_tokens":1.0,"output_tokens":2.0},"tokens":{"input_tokens":10.0,"output_tokens":20.0}}}`

// TestCohereRequests has requests that the SDK makes and ours, which are the same to the server.
func TestCohereRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask    string
		theirs *cohere.V2ChatRequest
	}{
		"sampling": {
			`{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}],"temperature":0.5,"top_p":0.9,"top_k":4,"seed":7,"stop":["END"],"max_tokens":9,` +
				`"frequency_penalty":0.1,"presence_penalty":0.2,"safety_mode":"STRICT","thinking":{"type":"enabled","token_budget":5}}`,
			&cohere.V2ChatRequest{
				Messages: cohere.ChatMessages{
					{Role: "system", System: &cohere.SystemMessageV2{Content: &cohere.SystemMessageV2Content{String: "s"}}},
					{Role: "user", User: &cohere.UserMessageV2{Content: &cohere.UserMessageV2Content{String: "a"}}},
				},
				Temperature: cohere.Float64(0.5), P: cohere.Float64(0.9), K: cohere.Int(4), Seed: cohere.Int(7), StopSequences: []string{"END"}, MaxTokens: cohere.Int(9),
				FrequencyPenalty: cohere.Float64(0.1), PresencePenalty: cohere.Float64(0.2), SafetyMode: cohere.V2ChatRequestSafetyModeStrict.Ptr(),
				Thinking: &cohere.Thinking{Type: cohere.ThinkingTypeEnabled, TokenBudget: cohere.Int(5)},
			},
		},
		"tools": {
			`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://a.example/a.png","detail":"low"}}]},` +
				`{"role":"assistant","content":null,"reasoning_content":"I will look.","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},` +
				`{"role":"tool","tool_call_id":"c1","content":"r"}],"tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,"parameters":{"type":"object"}}}],` +
				`"tool_choice":"required"}`,
			&cohere.V2ChatRequest{
				Messages: cohere.ChatMessages{
					{Role: "user", User: &cohere.UserMessageV2{Content: &cohere.UserMessageV2Content{ContentList: []*cohere.Content{
						{Type: "text", Text: &cohere.ChatTextContent{Text: "a"}},
						{Type: "image_url", ImageUrl: &cohere.ImageContent{ImageUrl: &cohere.ImageUrl{Url: "https://a.example/a.png", Detail: cohere.ImageUrlDetailLow.Ptr()}}},
					}}}},
					{Role: "assistant", Assistant: &cohere.AssistantMessage{ToolPlan: cohere.String("I will look."), ToolCalls: []*cohere.ToolCallV2{{
						Id: cohere.String("c1"), Type: cohere.String("function"), Function: &cohere.ToolCallV2Function{Name: cohere.String("f"), Arguments: cohere.String(`{"a":1}`)},
					}}}},
					{Role: "tool", Tool: &cohere.ToolMessageV2{ToolCallId: "c1", Content: &cohere.ToolMessageV2Content{String: "r"}}},
				},
				Tools: []*cohere.ToolV2{{Type: cohere.String("function"), Function: &cohere.ToolV2Function{
					Name: "f", Description: cohere.String("d"), Parameters: map[string]any{"type": "object"},
				}}},
				StrictTools: cohere.Bool(true), ToolChoice: cohere.V2ChatRequestToolChoiceRequired.Ptr(),
			},
		},
		"schema": {
			`{"prompt":"a","response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},"reasoning_effort":"none"}`,
			&cohere.V2ChatRequest{
				Messages:       cohere.ChatMessages{{Role: "user", User: &cohere.UserMessageV2{Content: &cohere.UserMessageV2Content{String: "a"}}}},
				ResponseFormat: &cohere.ResponseFormatV2{Type: "json_object", JsonObject: &cohere.JsonResponseFormatV2{JsonSchema: map[string]any{"type": "object"}}},
				Thinking:       &cohere.Thinking{Type: cohere.ThinkingTypeDisabled},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serveCommand(t, "application/json", commandSays)
			c.theirs.Model = "command-x"
			_, err := server.theirs.V2.Chat(t.Context(), c.theirs)
			require.NoError(t, err)
			theirs, theirPath, theirKey := server.last()
			_, err = server.ours.Chat(t.Context(), askCommand(t, c.ask))
			require.NoError(t, err)
			sent, path, key := server.last()
			require.JSONEq(t, theirs, sent)
			require.Equal(t, theirPath, path)
			require.Equal(t, theirKey, key)
		})
	}
}

// TestCohereAnswer has both read the same answer.
func TestCohereAnswer(t *testing.T) {
	t.Parallel()
	server := serveCommand(t, "application/json", commandSays)
	theirs, err := server.theirs.V2.Chat(t.Context(), &cohere.V2ChatRequest{Model: "command-x"})
	require.NoError(t, err)
	got, err := server.ours.Chat(t.Context(), askCommand(t, `{"prompt":"a"}`))
	require.NoError(t, err)
	require.Equal(t, theirs.Id, got.ID)
	m := got.Choices[0].Message
	require.Equal(t, theirs.Message.Content[1].Text.Text, m.Content.Text)
	require.Equal(t, theirs.Message.Content[0].Thinking.Thinking+*theirs.Message.ToolPlan, m.ReasoningContent)
	require.Equal(t, *theirs.Message.ToolCalls[0].Function.Arguments, m.ToolCalls[0].Function.Arguments)
	require.InDelta(t, *theirs.Usage.Tokens.InputTokens, got.Usage.PromptTokens, 0)
	require.InDelta(t, *theirs.Usage.Tokens.OutputTokens, got.Usage.CompletionTokens, 0)
}

// TestCohereStream has both read the same stream.
func TestCohereStream(t *testing.T) {
	t.Parallel()
	stream := ""
	for _, data := range []string{
		`{"id":"r1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`,
		`{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will look."}}}`,
		`{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`,
		`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Wait."}}}}`,
		`{"type":"content-end","index":0}`,
		`{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c1","type":"function","function":{"name":"f","arguments":""}}}}}`,
		`{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":1}"}}}}}`,
		`{"type":"tool-call-end","index":0}`,
		`{"type":"message-end","id":"r1","delta":{"finish_reason":"TOOL_CALL","usage":{"tokens":{"input_tokens":10.0,"output_tokens":20.0}}}}`,
	} {
		stream += "data: " + data + "\n\n"
	}
	stream += "data: [DONE]\n\n" // without it the SDK reads the last empty line as an event
	server := serveCommand(t, "text/event-stream", stream)
	theirs, err := server.theirs.V2.ChatStream(t.Context(), &cohere.V2ChatStreamRequest{Model: "command-x"})
	require.NoError(t, err)
	var text, arguments, plan strings.Builder
	for {
		event, err := theirs.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		switch {
		case event.ToolPlanDelta != nil:
			plan.WriteString(*event.ToolPlanDelta.Delta.Message.ToolPlan)
		case event.ContentDelta != nil:
			text.WriteString(*event.ContentDelta.Delta.Message.Content.Text)
		case event.ToolCallDelta != nil:
			arguments.WriteString(*event.ToolCallDelta.Delta.Message.ToolCalls.Function.Arguments)
		}
	}
	var ourText, ourArguments, ourPlan strings.Builder
	require.NoError(t, server.ours.Stream(t.Context(), askCommand(t, `{"prompt":"a"}`), func(chunk *events.ChatChunk) error {
		for _, choice := range chunk.Choices {
			ourText.WriteString(choice.Delta.Content)
			ourPlan.WriteString(choice.Delta.ReasoningContent)
			for _, call := range choice.Delta.ToolCalls {
				ourArguments.WriteString(call.Function.Arguments)
			}
		}
		return nil
	}))
	require.Equal(t, []string{"Wait.", `{"a":1}`, "I will look."}, []string{text.String(), arguments.String(), plan.String()})
	require.Equal(t, []string{text.String(), arguments.String(), plan.String()}, []string{ourText.String(), ourArguments.String(), ourPlan.String()})
}
