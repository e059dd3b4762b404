package openai_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// stream collects the chunks of one stream.
func stream(t *testing.T, c *openai.Client) (chunks []events.ChatChunk, err error) {
	t.Helper()
	err = c.Stream(t.Context(), &events.ChatRequest{Model: "m", Prompt: "hi"}, func(chunk events.ChatChunk) error {
		chunks = append(chunks, chunk)
		return nil
	})
	return chunks, err
}

const (
	first  = `data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}` + "\n\n"
	second = `data: {"id":"1","choices":[{"index":0,"delta":{"content":"b"}}],"obfuscation":"zzz"}` + "\n\n"
	last   = `data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	usage  = `data: {"id":"1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}` + "\n\n"
	done   = "data: [DONE]\n\n"
)

func TestStreams(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		chunks int
		code   events.Code
	}{
		"complete":               {first + second + last + usage + done, 4, ""},
		"comments and pings":     {": hi\n\n" + first + ": ping\n\nevent: ping\n\n" + last + done, 2, ""},
		"without done":           {first + second + last, 3, ""},
		"done at the very end":   {first + last + "data: [DONE]", 2, ""},
		"after done":             {first + last + done + "data: junk\n\n", 2, ""},
		"null choices":           {first + last + `data: {"choices":null,"usage":{"total_tokens":1}}` + "\n\n" + done, 3, ""},
		"tool calls":             {`data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}}]}` + "\n\n" + last + done, 2, ""},
		"broke off":              {first + second, 2, events.CodeUnavailable},
		"broke off in a chunk":   {first + `data: {"id":"1","choi`, 1, events.CodeInternal},
		"one of two broke off":   {first + `data: {"choices":[{"index":1,"delta":{"content":"x"}}]}` + "\n\n" + last, 3, events.CodeUnavailable},
		"empty":                  {"", 0, events.CodeUnavailable},
		"done at once":           {done, 0, events.CodeInternal},
		"not JSON":               {first + "data: hello\n\n", 1, events.CodeInternal},
		"too large":              {first + "data: " + strings.Repeat("x", 2<<20) + "\n\n", 1, events.CodeInternal},
		"index out of range":     {`data: {"choices":[{"index":1000000,"delta":{}}]}` + "\n\n", 0, events.CodeInternal},
		"error":                  {first + `data: {"error":{"message":"overloaded","type":"overloaded_error"}}` + "\n\n", 1, events.CodeUnavailable},
		"error with number":      {first + `data: {"error":{"message":"slow down","code":429}}` + "\n\n", 1, events.CodeRateLimited},
		"error with type":        {first + `data: {"error":{"message":"bad","type":"invalid_request_error"}}` + "\n\n", 1, events.CodeInvalidArgument},
		"error as string":        {first + `data: {"error":"CUDA out of memory"}` + "\n\n", 1, events.CodeUnavailable},
		"error as first message": {`data: {"error":{"message":"no such model","type":"not_found_error"}}` + "\n\n", 0, events.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := connect(t, func(c *openai.Config) { c.Attempts = llm.Attempts{} })
			server.Script(llmtest.Stream(c.text))
			chunks, err := stream(t, client)
			require.Equal(t, c.code, events.CodeOf(err), err)
			require.Len(t, chunks, c.chunks)
			for _, chunk := range chunks {
				require.NotNil(t, chunk.Choices)
			}
			if err != nil {
				require.Equal(t, "acme", events.AsError(err).Provider)
			}
		})
	}
}

func TestStreamsAreRepeatedOnlyBeforeTheFirstChunk(t *testing.T) {
	t.Parallel()
	server, client := connect(t, nil)
	server.Script(llmtest.Answer(http.StatusServiceUnavailable, `{}`), llmtest.Stream(""), llmtest.Stream(first+last+done))
	chunks, err := stream(t, client)
	require.NoError(t, err)
	require.Len(t, chunks, 2)
	require.Len(t, server.Requests(), 3)

	server.Script(llmtest.Stream(first))
	chunks, err = stream(t, client)
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	require.Len(t, chunks, 1)
	require.Len(t, server.Requests(), 4)
}

func TestStreamTimeouts(t *testing.T) {
	t.Parallel()
	hang := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if text != "" {
				llmtest.Stream(text)(w, r)
			}
			<-r.Context().Done()
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		message string
		chunks  int
	}{
		"no headers":       {hang(""), "no first chunk", 0},
		"no first chunk":   {hang(": wait\n\n"), "no first chunk", 0},
		"no further chunk": {hang(first), "no further chunk", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := connect(t, func(c *openai.Config) {
				c.FirstChunk, c.Idle, c.Attempts = 60*time.Millisecond, 50*time.Millisecond, llm.Attempts{}
			})
			server.Script(c.handler)
			chunks, err := stream(t, client)
			require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(err))
			require.ErrorContains(t, err, c.message)
			require.Len(t, chunks, c.chunks)
		})
	}
}

func TestStreamThatIsNone(t *testing.T) {
	t.Parallel()
	server, client := connect(t, nil)
	server.Script(llmtest.Answer(http.StatusOK, `{"choices":[]}`))
	_, err := stream(t, client)
	require.Equal(t, events.CodeInternal, events.CodeOf(err))
	require.ErrorContains(t, err, "text/event-stream")
}
