package sdk_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/respjson"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// given is the JSON of a field of the SDK's; nothing and null are empty.
func given(f respjson.Field) string {
	if !f.Valid() {
		return ""
	}
	return f.Raw()
}

// sameAsGPT compares what both made of an answer.
func sameAsGPT(t *testing.T, them *openai.ChatCompletion, us *events.ChatResponse) {
	t.Helper()
	require.Equal(t, them.ID, us.ID)
	require.Equal(t, them.Model, us.Model)
	require.Equal(t, them.Created, us.Created)
	require.Equal(t, string(them.Object), us.Object)
	require.Equal(t, string(them.ServiceTier), us.ServiceTier)
	require.Equal(t, them.SystemFingerprint, us.SystemFingerprint) //nolint:staticcheck // servers still send it
	require.Len(t, us.Choices, len(them.Choices))
	for i, theirs := range them.Choices {
		ours := us.Choices[i]
		require.EqualValues(t, theirs.Index, ours.Index)
		require.Equal(t, theirs.FinishReason, ours.FinishReason)
		require.Equal(t, theirs.Message.Content, ours.Message.Content.Text)
		require.Equal(t, string(theirs.Message.Role), ours.Message.Role)
		require.Equal(t, theirs.Message.Refusal, ours.Message.Refusal)
		require.Equal(t, given(theirs.JSON.Logprobs), string(ours.Logprobs))
		require.Equal(t, given(theirs.Message.JSON.Annotations), string(ours.Message.Annotations))
		require.Len(t, ours.Message.ToolCalls, len(theirs.Message.ToolCalls))
		for j, call := range theirs.Message.ToolCalls {
			require.Equal(t, events.ToolCall{
				ID: call.ID, Type: call.Type, Function: events.ToolFunction{Name: call.Function.Name, Arguments: call.Function.Arguments},
			}, ours.Message.ToolCalls[j])
		}
	}
	sameUsage(t, &them.Usage, us.Usage)
}

// sameUsage compares counts.
func sameUsage(t *testing.T, them *openai.CompletionUsage, us *events.ChatUsage) {
	t.Helper()
	if us == nil {
		require.Zero(t, them.TotalTokens)
		return
	}
	require.EqualValues(t, them.PromptTokens, us.PromptTokens)
	require.EqualValues(t, them.CompletionTokens, us.CompletionTokens)
	require.EqualValues(t, them.TotalTokens, us.TotalTokens)
	var prompt events.PromptTokensDetails
	if us.PromptTokensDetails != nil {
		prompt = *us.PromptTokensDetails
	}
	require.EqualValues(t, them.PromptTokensDetails.CachedTokens, prompt.CachedTokens)
	var completion events.CompletionTokensDetails
	if us.CompletionTokensDetails != nil {
		completion = *us.CompletionTokensDetails
	}
	require.EqualValues(t, them.CompletionTokensDetails.ReasoningTokens, completion.ReasoningTokens)
}

// gptAnswers are answers as OpenAI gives them.
func gptAnswers() map[string]string {
	d := llmtest.OpenAI()
	all := map[string]string{
		"refusal": `{"id":"x","object":"chat.completion","created":1760000000,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":"I cannot."},"logprobs":null,"finish_reason":"stop"}]}`,
		"logprobs": `{"id":"x","object":"chat.completion","created":1760000000,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"a","refusal":null,
			"annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"title":"t","url":"u"}}]},
			"logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}],"refusal":null},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`,
	}
	for name, reply := range d.Replies() {
		all[name] = d.Answer(reply)
	}
	return all
}

// Of what a server answers both make the same; and the SDK reads our answer as it reads the server's.
func TestGPTAnswers(t *testing.T) {
	t.Parallel()
	for name, body := range gptAnswers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := serveGPT(t, llmtest.Answer(http.StatusOK, body))
			them, err := g.theirs.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "m"})
			require.NoError(t, err)
			us, err := g.ours.Chat(t.Context(), gptCall(t, `{"prompt":"hi"}`))
			require.NoError(t, err)
			sameAsGPT(t, them, us)

			text, err := json.Marshal(us)
			require.NoError(t, err)
			var again openai.ChatCompletion
			require.NoError(t, json.Unmarshal(text, &again))
			sameAsGPT(t, &again, us)
		})
	}
}

// joined reads a stream with the SDK and with ours, and joins the pieces of both with the SDK.
func (g *gpt) joined(t *testing.T) (them, us openai.ChatCompletionAccumulator, good bool, theirErr, ourErr error) {
	t.Helper()
	params := openai.ChatCompletionNewParams{Model: "m", StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}}
	stream := g.theirs.Chat.Completions.NewStreaming(t.Context(), params)
	good = true
	for stream.Next() {
		good = them.AddChunk(stream.Current()) && good
	}
	ourErr = g.ours.Stream(t.Context(), gptCall(t, `{"prompt":"hi"}`), func(chunk *events.ChatChunk) error {
		text, err := json.Marshal(chunk)
		require.NoError(t, err)
		var again openai.ChatCompletionChunk
		require.NoError(t, json.Unmarshal(text, &again))
		require.True(t, us.AddChunk(again), "the SDK takes our chunks: %s", text)
		return nil
	})
	return them, us, good, stream.Err(), ourErr
}

// Our chunks, read by the SDK, are what the server's chunks are.
func TestGPTStreams(t *testing.T) {
	t.Parallel()
	d := llmtest.OpenAI()
	for name, reply := range d.Replies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := serveGPT(t, llmtest.Stream(strings.Join(d.Stream(reply), "")))
			them, us, good, theirErr, ourErr := g.joined(t)
			require.True(t, good)
			require.NoError(t, theirErr)
			require.NoError(t, ourErr)
			require.Equal(t, them.ID, us.ID)
			require.Equal(t, them.Model, us.Model)
			require.Equal(t, them.Created, us.Created)
			require.Equal(t, them.ServiceTier, us.ServiceTier)
			require.Len(t, us.Choices, len(them.Choices))
			for i := range them.Choices {
				theirs, ours := them.Choices[i], us.Choices[i]
				require.Equal(t, theirs.Message.Content, ours.Message.Content)
				require.Equal(t, theirs.Message.Role, ours.Message.Role)
				require.Equal(t, theirs.FinishReason, ours.FinishReason)
				require.Len(t, ours.Message.ToolCalls, len(theirs.Message.ToolCalls))
				for j, call := range theirs.Message.ToolCalls {
					require.Equal(t, call.ID, ours.Message.ToolCalls[j].ID)
					require.Equal(t, call.Function.Name, ours.Message.ToolCalls[j].Function.Name)
					require.Equal(t, call.Function.Arguments, ours.Message.ToolCalls[j].Function.Arguments)
				}
			}
			require.Equal(t, them.Usage.TotalTokens, us.Usage.TotalTokens)
			require.Equal(t, them.Usage.PromptTokensDetails.CachedTokens, us.Usage.PromptTokensDetails.CachedTokens)
			require.Equal(t, them.Usage.CompletionTokensDetails.ReasoningTokens, us.Usage.CompletionTokensDetails.ReasoningTokens)
		})
	}
}

// What is an error to the SDK is one to us, with the same words.
func TestGPTErrors(t *testing.T) {
	t.Parallel()
	d := llmtest.OpenAI()
	for _, f := range d.Errors {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			g := serveGPT(t, llmtest.Answer(f.Status, f.Body, f.Header...))
			_, theirErr := g.theirs.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "m"})
			require.Error(t, theirErr)
			_, ourErr := g.ours.Chat(t.Context(), gptCall(t, `{"prompt":"hi"}`))
			var fault *llm.Fault
			require.ErrorAs(t, ourErr, &fault)
			theirs, ok := errors.AsType[*openai.Error](theirErr)
			if !ok { // in a form that is not OpenAI's, which the SDK does not read
				require.ErrorContains(t, fault, f.Says)
				return
			}
			require.Contains(t, fault.Err.Message, theirs.Message)
			require.Equal(t, theirs.Response.Header.Get("X-Request-Id"), fault.RequestID)
		})
	}
	for _, f := range d.StreamErrors {
		t.Run("stream, "+f.Name, func(t *testing.T) {
			t.Parallel()
			g := serveGPT(t, llmtest.Stream(f.Body))
			them, us, _, _, ourErr := g.joined(t)
			require.Error(t, ourErr, "the SDK may not see it: it does not ask whether a stream is complete")
			if len(them.Choices) > 0 && len(us.Choices) > 0 {
				require.Contains(t, them.Choices[0].Message.Content, us.Choices[0].Message.Content)
			}
		})
	}
}

func TestGPTModels(t *testing.T) {
	t.Parallel()
	g := serveGPT(t, llmtest.Answer(http.StatusOK, `{"object":"list","data":[{"id":"a","object":"model","created":1,"owned_by":"x"},{"id":"b","object":"model","created":2,"owned_by":"x"}]}`))
	page, err := g.theirs.Models.List(t.Context())
	require.NoError(t, err)
	them := <-g.asked
	names, err := g.ours.Models(t.Context(), secret.NewValue(llmtest.Key))
	require.NoError(t, err)
	us := <-g.asked
	require.Len(t, names, len(page.Data))
	for i, model := range page.Data {
		require.Equal(t, model.ID, names[i])
	}
	require.Equal(t, them.path, us.path)
}

// An answer that is cut is an error to both.
func TestGPTBreakOff(t *testing.T) {
	t.Parallel()
	d := llmtest.OpenAI()
	body := d.Answer(d.Replies()["text"])
	g := serveGPT(t, llmtest.Answer(http.StatusOK, body[:len(body)/2]))
	_, theirErr := g.theirs.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "m"})
	_, ourErr := g.ours.Chat(t.Context(), gptCall(t, `{"prompt":"hi"}`))
	require.Error(t, theirErr)
	require.Error(t, ourErr)
}
