package generator_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	interactive = "mlsdm.generate"
	durable     = "mlsdm.requests.generate"
)

// response decodes a reply that must be none of an error.
func response(t *testing.T, m doortest.Message) events.ChatResponse {
	t.Helper()
	require.Nil(t, m.Err())
	return doortest.JSON[events.ChatResponse](t, m)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, environment := range map[string]map[string]string{
		"workers":              {"GENERATOR_WORKERS": "5000"},
		"timeout":              {"GENERATOR_TIMEOUT": "2h"},
		"idle-timeout":         {"GENERATOR_IDLE_TIMEOUT": "0s"},
		"first-chunk-timeout":  {"GENERATOR_FIRST_CHUNK_TIMEOUT": "-1s"},
		"max-attempts":         {"GENERATOR_MAX_ATTEMPTS": "0"},
		"openai-base-url":      {"OPENAI_BASE_URL": "nope"},
		"anthropic-base-url":   {"ANTHROPIC_BASE_URL": "nope"},
		"huggingface-base-url": {"HUGGINGFACE_BASE_URL": "nope"},
		"cohere-base-url":      {"COHERE_BASE_URL": "https://hunter2@host"},
		"ollama-base-url":      {"OLLAMA_BASE_URL": "localhost:11434"},
		"answer-timeout":       {"GENERATOR_ANSWER_TIMEOUT": "0s"},
		"retries":              {"GENERATOR_RETRIES": "-1"},
		"request-events":       {"GENERATOR_REQUEST_EVENTS": "1.5"},
		"default-model":        {"GENERATOR_DEFAULT_MODEL": "anthropic/claude"}, // without a key
		"API key":              {"ANTHROPIC_API_KEY": "hunter2\n"[:7] + " x"},
	} {
		_, err := configure(t, environment)
		require.ErrorContains(t, err, name)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestDefaultModels(t *testing.T) {
	t.Parallel()
	for want, environment := range map[string]map[string]string{
		"local/echo":         {"OPENAI_API_KEY": ""},
		"openai/gpt-4o-mini": nil,
		"openai/mine":        {"GENERATOR_DEFAULT_MODEL": "openai/mine"},
	} {
		s, _ := start(t, environment)
		require.Equal(t, want, response(t, s.Ask(t, interactive, []byte(`{"prompt":"hello"}`))).Model)
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	s, _ := start(t, nil)
	for _, body := range []string{
		`{"model":"local/echo","prompt":"hello there"}`,
		`{"model":"local/echo","messages":[{"role":"system","content":"x"},{"role":"user","content":"hello there"}],"stream":false}`,
	} {
		res := response(t, s.Ask(t, interactive, []byte(body)))
		require.Equal(t, "local/echo", res.Model)
		require.Equal(t, "chat.completion", res.Object)
		require.Equal(t, "echo: hello there", res.Choices[0].Message.Content.Text)
		require.Equal(t, "assistant", res.Choices[0].Message.Role)
		require.Equal(t, "stop", res.Choices[0].FinishReason)
		told := s.Processed(t)
		require.Equal(t, "local/echo", told.Model)
		require.Equal(t, 3, told.CompletionTokens)
		require.Equal(t, told.PromptTokens+3, told.TotalTokens)
		require.False(t, told.Stream)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	s, _ := start(t, nil)
	for model, answer := range map[string]string{"local/echo": "echo: one two", "openai/m": "you said: one two"} {
		for _, usage := range []bool{false, true} {
			body, err := json.Marshal(events.ChatRequest{
				Model: model, Prompt: "one two", Stream: true, StreamOptions: &events.StreamOptions{IncludeUsage: usage},
			})
			require.NoError(t, err)
			var text strings.Builder
			finish := ""
			messages := s.Stream(t, "mlsdm.as.alice.generate", body)
			for i, m := range messages {
				chunk := doortest.JSON[events.ChatChunk](t, m)
				require.Equal(t, "chat.completion.chunk", chunk.Object)
				require.Equal(t, model, chunk.Model)
				last := i == len(messages)-1
				require.Equal(t, usage && last, chunk.Usage != nil, "usage comes last, and only if asked for")
				for _, c := range chunk.Choices {
					text.WriteString(c.Delta.Content)
					if c.FinishReason != nil {
						finish = *c.FinishReason
					}
				}
			}
			require.Equal(t, answer, text.String())
			require.Equal(t, "stop", finish)
			told := s.Processed(t)
			require.True(t, told.Stream)
			require.Equal(t, "alice", told.Caller)
			require.Positive(t, told.CompletionTokens, "counted, asked for or not")
		}
	}
}

func TestStreamThatBreaksOff(t *testing.T) {
	t.Parallel()
	s, provider := start(t, nil)
	const chunk = `data: {"id":"1","choices":[{"index":0,"delta":{"content":"a"}}]}` + "\n\n"
	provider.Script(llmtest.Stream(chunk + chunk + `data: {"error":{"message":"overloaded","type":"overloaded_error"}}` + "\n\n"))
	messages := s.Stream(t, interactive, []byte(`{"model":"openai/m","prompt":"x","stream":true}`))
	require.Len(t, messages, 3)
	require.Nil(t, messages[1].Err())
	failure := messages[2].Err()
	require.Equal(t, "aa", doortest.JSON[events.ErrorReply](t, messages[2]).Partial.Choices[0].Message.Content.Text, "what was said")
	require.Equal(t, events.CodeUnavailable, failure.Code)
	require.Equal(t, "openai", failure.Provider)
	require.Equal(t, "unavailable", messages[2].Value(events.HeaderErrorCode))
	require.Equal(t, events.CodeUnavailable, s.Processed(t).Code)

	messages = s.Stream(t, interactive, []byte(`{"model":"openai/no-such-model","prompt":"x","stream":true}`))
	require.Len(t, messages, 1, "an error before the first chunk is the whole answer")
	require.Equal(t, events.CodeNotFound, messages[0].Err().Code)
}

func TestDurableDoor(t *testing.T) {
	t.Parallel()
	s, provider := start(t, nil)
	s.Publish(t, durable, "req-1", []byte(`{"model":"openai/m","prompt":"hi"}`))
	result := s.Results().Next(t)
	require.Equal(t, "mlsdm.results.default.req-1", result.Subject)
	res := response(t, result)
	require.Equal(t, "you said: hi", res.Choices[0].Message.Content.Text)
	require.Equal(t, "openai/m", res.Model)
	require.Equal(t, events.DoorDurable, s.Processed(t).Door)
	require.True(t, s.Publish(t, durable, "req-1", []byte(`{"model":"openai/m","prompt":"hi"}`)).Duplicate)
	s.Results().Nothing(t)
	require.Len(t, provider.Requests(), 1)

	// A stream is kept beside its result.
	s.Publish(t, "mlsdm.as.alice.requests.generate", "req-2", []byte(`{"model":"local/echo","prompt":"hi","stream":true}`))
	result = s.Results().Next(t)
	require.Equal(t, "mlsdm.results.alice.req-2", result.Subject)
	require.Equal(t, "echo: hi", response(t, result).Choices[0].Message.Content.Text)
	require.True(t, s.Processed(t).Stream)
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	s, provider := start(t, nil)
	for name, c := range map[string]struct {
		body string
		code events.Code
		says string
	}{
		"empty body":        {``, events.CodeInvalidArgument, "empty"},
		"not JSON":          {`hello`, events.CodeInvalidArgument, "not JSON"},
		"a list":            {`[]`, events.CodeInvalidArgument, "object"},
		"nothing to answer": {`{}`, events.CodeInvalidArgument, "prompt"},
		"both forms":        {`{"prompt":"a","messages":[{"role":"user","content":"b"}]}`, events.CodeInvalidArgument, "exclude"},
		"prompt a number":   {`{"prompt":5}`, events.CodeInvalidArgument, "prompt"},
		"role":              {`{"messages":[{"role":"boss","content":"b"}]}`, events.CodeInvalidArgument, "role"},
		"content":           {`{"messages":[{"role":"user","content":7}]}`, events.CodeInvalidArgument, "content"},
		"temperature":       {`{"prompt":"a","temperature":3}`, events.CodeInvalidArgument, "temperature"},
		"limit":             {`{"prompt":"a","max_tokens":0}`, events.CodeInvalidArgument, "max_tokens"},
		"n":                 {`{"model":"local/echo","prompt":"a","n":2}`, events.CodeUnsupported, "n:"},
		"tools":             {`{"model":"local/echo","prompt":"a","tools":[{"type":"function"}]}`, events.CodeUnsupported, "tools"},
		"response_format":   {`{"model":"local/echo","prompt":"a","response_format":{"type":"json_schema"}}`, events.CodeUnsupported, "response_format"},
		"image":             {`{"model":"local/echo","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, events.CodeUnsupported, "image_url"},
		"no provider":       {`{"model":"echo","prompt":"a"}`, events.CodeNotFound, "local/echo, openai/*"},
		"unknown model":     {`{"model":"local/gpt","prompt":"a"}`, events.CodeNotFound, "local/echo, openai/*"},
		"unknown provider":  {`{"model":"anthropic/claude","prompt":"a"}`, events.CodeNotFound, "local/echo"},
		"not at provider":   {`{"model":"openai/no-such-model","prompt":"a"}`, events.CodeNotFound, "does not exist"},
		"bad UTF-8":         {"{\"prompt\":\"a\xff\"}", events.CodeInvalidArgument, "UTF-8"},
		"too deep":          {`{"prompt":"a","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, events.CodeInvalidArgument, "deep"},
		"2 MiB":             {`{"prompt":"` + strings.Repeat("x", 2<<20) + `"}`, events.CodeInvalidArgument, "1048576"},
	} {
		answer := s.Ask(t, interactive, []byte(c.body)).Err()
		require.NotNil(t, answer, name)
		require.Equal(t, c.code, answer.Code, name)
		require.Contains(t, answer.Message, c.says, name)
		require.Equal(t, c.code, s.Processed(t).Code, name)

		s.Publish(t, durable, "", []byte(c.body))
		answer = s.Results().Next(t).Err()
		require.NotNil(t, answer, name)
		require.Equal(t, c.code, answer.Code, "durable: %s", name)
		s.Processed(t)
	}
	require.Len(t, provider.Requests(), 2, "only the one model that is the provider's to judge")
	s.Dead().Nothing(t)
	require.Nil(t, s.Ask(t, interactive, []byte(`{"prompt":"still here"}`)).Err())
}

func TestUnknownFieldsPassThrough(t *testing.T) {
	t.Parallel()
	s, provider := start(t, nil)
	response(t, s.Ask(t, interactive, []byte(`{"model":"openai/m","prompt":"hi","reasoning_effort":"low","x_new":{"a":[1]}}`)))
	require.JSONEq(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],"reasoning_effort":"low","x_new":{"a":[1]}}`, string(provider.Requests()[0].Body))
}

func TestKeyIsNeverSeen(t *testing.T) {
	t.Parallel()
	s, provider := start(t, nil)
	provider.Script(llmtest.Answer(http.StatusForbidden, `{"error":{"message":"Authorization: Bearer `+llmtest.Key+`"}}`))
	answer := s.Ask(t, interactive, []byte(`{"model":"openai/m","prompt":"hi"}`))
	require.Equal(t, events.CodePermissionDenied, answer.Err().Code)
	require.NotContains(t, string(answer.Body)+answer.Value(events.HeaderError), llmtest.Key)
}

func TestDeadlineEndsAStream(t *testing.T) {
	t.Parallel()
	s, provider := start(t, nil)
	gone := make(chan struct{})
	provider.Script(func(w http.ResponseWriter, r *http.Request) {
		llmtest.Stream(`data: {"choices":[{"index":0,"delta":{"content":"a"}}]}`+"\n\n")(w, r)
		<-r.Context().Done()
		close(gone)
	})
	_, err := s.Bus.Request(t.Context(), bus.Msg{
		Subject: interactive, Body: []byte(`{"model":"openai/m","prompt":"hi","stream":true}`),
		Header: map[string][]string{events.HeaderTimeoutMS: {"200"}},
	})
	require.NoError(t, err, "the first chunk")
	<-gone
	require.Equal(t, events.CodeDeadlineExceeded, s.Processed(t).Code)
}
