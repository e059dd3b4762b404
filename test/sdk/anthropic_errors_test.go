package sdk_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// TestClaudeErrors has both refuse the same, and name the same request and reason.
func TestClaudeErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		kind   anthropic.ErrorType
		class  llm.Class
	}{
		{400, anthropic.ErrorTypeInvalidRequestError, llm.ClassCaller},
		{401, anthropic.ErrorTypeAuthenticationError, llm.ClassKey},
		{402, anthropic.ErrorTypeBillingError, llm.ClassQuota},
		{403, anthropic.ErrorTypePermissionError, llm.ClassKey},
		{404, anthropic.ErrorTypeNotFoundError, llm.ClassModel},
		{429, anthropic.ErrorTypeRateLimitError, llm.ClassLimit},
		{500, anthropic.ErrorTypeAPIError, llm.ClassProvider},
		{504, anthropic.ErrorTypeTimeoutError, llm.ClassTimeout},
		{529, anthropic.ErrorTypeOverloadedError, llm.ClassProvider},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			body := `{"type":"error","error":{"type":"` + string(c.kind) + `","message":"said so"},"request_id":"req_011"}`
			server := serveClaude(t, c.status, "application/json", body)
			_, err := server.theirs.Messages.New(t.Context(), anthropic.MessageNewParams{})
			var theirs *anthropic.Error
			require.ErrorAs(t, err, &theirs)
			require.Equal(t, c.kind, theirs.Type())
			_, err = server.ours.Chat(t.Context(), claudeCall(t, `{"prompt":"hi"}`))
			fault := llm.FaultOf(err)
			require.Equal(t, c.class, fault.Class, "%v", err)
			require.Equal(t, theirs.RequestID, fault.RequestID)
			require.ErrorContains(t, err, "said so")

			// The same inside of a stream, of which both have read the beginning.
			begin, _, _ := strings.Cut(claudeStreams()["text"], "event: ping")
			server = serveClaude(t, http.StatusOK, "text/event-stream", begin+"event: error\ndata: "+body+"\n\n")
			stream := server.theirs.Messages.NewStreaming(t.Context(), anthropic.MessageNewParams{})
			for stream.Next() {
				require.NotEqual(t, "error", stream.Current().Type)
			}
			require.ErrorAs(t, stream.Err(), &theirs)
			require.Equal(t, c.kind, theirs.Type())
			_, err = claudeJoined(t, server)
			require.Equal(t, c.class, llm.FaultOf(err).Class, "%v", err)
		})
	}
}

func TestClaudeModels(t *testing.T) {
	t.Parallel()
	c := serveClaude(t, http.StatusOK, "application/json", `{"data":[{"type":"model","id":"claude-opus-4-8","display_name":"Claude Opus 4.8","created_at":"2026-05-28T00:00:00Z"},`+
		`{"type":"model","id":"claude-haiku-4-5","display_name":"Claude Haiku 4.5","created_at":"2025-10-01T00:00:00Z"}],"has_more":false,"first_id":"claude-opus-4-8","last_id":"claude-haiku-4-5"}`)
	var theirs []string
	pager := c.theirs.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{})
	for pager.Next() {
		theirs = append(theirs, pager.Current().ID)
	}
	require.NoError(t, pager.Err())
	names, err := c.ours.Models(t.Context(), secret.NewValue(claudeKey))
	require.NoError(t, err)
	require.Equal(t, theirs, names)
}

// TestClaudeBreakOff has a stream that ends too early: the SDK takes it for an end, we do not.
func TestClaudeBreakOff(t *testing.T) {
	t.Parallel()
	whole := claudeStreams()["text"]
	c := serveClaude(t, http.StatusOK, "text/event-stream", strings.TrimSuffix(whole, claudeStream(`{"type":"message_stop"}`)))
	stream := c.theirs.Messages.NewStreaming(t.Context(), anthropic.MessageNewParams{})
	for stream.Next() {
		require.NotEqual(t, "message_stop", stream.Current().Type)
	}
	require.NoError(t, stream.Err())
	_, err := claudeJoined(t, c)
	var fault *llm.Fault
	require.ErrorAs(t, err, &fault)
	require.Equal(t, llm.ClassNetwork, fault.Class)
}
