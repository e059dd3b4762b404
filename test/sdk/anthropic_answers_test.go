package sdk_test

import (
	"net/http"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// sameAsClaude compares what the SDK and what we have made of an answer.
func sameAsClaude(t *testing.T, theirs *anthropic.Message, ours *events.ChatResponse) {
	t.Helper()
	text := ""
	var calls []anthropic.ToolUseBlock
	for _, block := range theirs.Content {
		switch b := block.AsAny().(type) {
		case anthropic.TextBlock:
			text += b.Text
		case anthropic.ToolUseBlock:
			calls = append(calls, b)
		}
	}
	require.Equal(t, theirs.ID, ours.ID)
	require.Equal(t, theirs.Model, ours.Model)
	require.Len(t, ours.Choices, 1)
	choice := ours.Choices[0]
	require.Equal(t, text, choice.Message.Content.String())
	require.Len(t, choice.Message.ToolCalls, len(calls))
	for i, call := range calls {
		require.Equal(t, call.ID, choice.Message.ToolCalls[i].ID)
		require.Equal(t, call.Name, choice.Message.ToolCalls[i].Function.Name)
		require.JSONEq(t, string(call.Input), choice.Message.ToolCalls[i].Function.Arguments)
	}
	require.Equal(t, map[anthropic.StopReason]string{
		anthropic.StopReasonEndTurn: events.FinishStop, anthropic.StopReasonStopSequence: events.FinishStop,
		anthropic.StopReasonPauseTurn: events.FinishStop, anthropic.StopReasonMaxTokens: events.FinishLength,
		anthropic.StopReasonModelContextWindowExceeded: events.FinishLength, anthropic.StopReasonToolUse: events.FinishToolCalls,
		anthropic.StopReasonRefusal: events.FinishContentFilter,
	}[theirs.StopReason], choice.FinishReason)
	require.Equal(t, theirs.StopDetails.Explanation, choice.Message.Refusal)
	u := theirs.Usage
	require.EqualValues(t, u.InputTokens+u.CacheReadInputTokens+u.CacheCreationInputTokens, ours.Usage.PromptTokens)
	require.EqualValues(t, u.OutputTokens, ours.Usage.CompletionTokens)
	if u.CacheReadInputTokens > 0 {
		require.EqualValues(t, u.CacheReadInputTokens, ours.Usage.PromptTokensDetails.CachedTokens)
	}
	if u.OutputTokensDetails.ThinkingTokens > 0 {
		require.EqualValues(t, u.OutputTokensDetails.ThinkingTokens, ours.Usage.CompletionTokensDetails.ReasoningTokens)
	}
	require.Equal(t, string(u.ServiceTier), ours.ServiceTier)
}

// claudeAnswers are answers as they stand on the wire.
func claudeAnswers() map[string]string {
	message := func(content, stop string) string {
		return `{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-4-8","content":[` + content + `],` + stop +
			`,"usage":{"input_tokens":12,"cache_creation_input_tokens":7,"cache_read_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":7,"ephemeral_1h_input_tokens":0},` +
			`"output_tokens":45,"output_tokens_details":{"thinking_tokens":20},"service_tier":"standard"}}`
	}
	all := map[string]string{
		"text": message(`{"type":"text","text":"Hello \"there\" 日本","citations":null}`, `"stop_reason":"end_turn","stop_sequence":null`),
		"thought and texts": message(`{"type":"thinking","thinking":"hm","signature":"EqQB"},{"type":"redacted_thinking","data":"EqQB"},{"type":"text","text":"a "},{"type":"text","text":"b"}`,
			`"stop_reason":"end_turn","stop_sequence":null`),
		"calls": message(`{"type":"text","text":"a moment"},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Kyiv","days":[1,2.50,null]}},{"type":"tool_use","id":"toolu_2","name":"now","input":{}}`,
			`"stop_reason":"tool_use","stop_sequence":null`),
		"nothing": message(``, `"stop_reason":"end_turn","stop_sequence":null`),
		"refusal": message(``, `"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":"bio","explanation":"not this"}`),
	}
	for _, stop := range []string{"max_tokens", "stop_sequence", "pause_turn", "model_context_window_exceeded"} {
		all[stop] = message(`{"type":"text","text":"a"}`, `"stop_reason":"`+stop+`","stop_sequence":null`)
	}
	return all
}

func TestClaudeAnswers(t *testing.T) {
	t.Parallel()
	for name, body := range claudeAnswers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serveClaude(t, http.StatusOK, "application/json", body)
			theirs, err := c.theirs.Messages.New(t.Context(), anthropic.MessageNewParams{})
			require.NoError(t, err)
			res, err := c.ours.Chat(t.Context(), claudeCall(t, `{"prompt":"hi"}`))
			require.NoError(t, err)
			sameAsClaude(t, theirs, res)
		})
	}
}
