package generator_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	askFast    = `{"model":"fast","prompt":"hello"}`
	streamFast = `{"model":"fast","prompt":"hello","stream":true}`
)

// The second answers what the first cannot, and the report says so.
func TestFailOver(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]http.HandlerFunc{
		"it fails":          fails(http.StatusInternalServerError),
		"it is overloaded":  fails(http.StatusServiceUnavailable, "Retry-After: 60"),
		"a limit":           fails(http.StatusTooManyRequests, "Retry-After: 60"),
		"no money":          llmtest.Answer(http.StatusTooManyRequests, `{"error":{"message":"no","code":"insufficient_quota"}}`),
		"no such model":     fails(http.StatusNotFound),
		"its key is wrong":  fails(http.StatusUnauthorized),
		"it breaks off":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"it says nonsense":  llmtest.Answer(http.StatusOK, `{"choices":[]}`),
		"an error in a 200": llmtest.Answer(http.StatusOK, `{"error":{"message":"no","type":"overloaded_error"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, twoProviders)
			a, b := r.server(t, "a"), r.server(t, "b")
			for i, body := range []string{askFast, streamFast} {
				a.Script(failure) // which the second request takes only where a does not rest
				if i == 0 {
					res := response(t, r.Ask(t, interactive, []byte(body)))
					require.Equal(t, "b/m", res.Model)
					require.Equal(t, "you said: hello", res.Choices[0].Message.Content.Text)
				} else {
					require.Equal(t, "you said: hello", text(t, r.Stream(t, interactive, []byte(body))))
				}
				told := r.Processed(t)
				require.Equal(t, events.OutcomeOK, told.Outcome)
				require.Equal(t, "fast", told.Model)
				require.Equal(t, "b/m", told.AnsweredBy)
				if i == 0 {
					require.Equal(t, 2, told.Attempts)
					require.Len(t, a.Requests(), 1)
				}
				require.Len(t, b.Requests(), i+1)
			}
		})
	}
}

// What a stream that fails has not said yet, nobody sees.
func TestStreamFailsOverUnseen(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	const role = `data: {"id":"of-a","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}` + "\n\n"
	r.server(t, "a").Script(llmtest.Stream(role + `data: {"error":{"message":"overloaded","type":"overloaded_error"}}` + "\n\n"))
	messages, end := r.StreamWith(t, interactive, nil, []byte(streamFast))
	require.Nil(t, end.Err())
	require.Equal(t, "stop", end.Value(events.HeaderFinishReason))
	require.Equal(t, "you said: hello", text(t, messages))
	for i, m := range messages {
		require.Equal(t, "b/m", doortest.JSON[events.ChatChunk](t, m).Model, "chunk %d", i)
		require.NotContains(t, string(m.Body), "of-a")
	}
	told := r.Processed(t)
	require.Equal(t, 2, told.Attempts)
	require.Positive(t, told.FirstTokenMS)
	require.LessOrEqual(t, told.FirstTokenMS, told.LatencyMS)
}

// What it has said, nobody says again: the stream ends with an error, and with what was said.
func TestStreamThatHasSaidSomethingEnds(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	const usage = `"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}` + "\n\n"                                        // that some servers tell all the time
	r.server(t, "a").Script(llmtest.Stream(say("one ") + `data: {"id":"1","choices":[{"index":0,"delta":{"content":"two"}}],` + usage)) // and no end
	messages, end := r.StreamWith(t, interactive, nil, []byte(streamFast))
	require.Equal(t, "one two", text(t, messages))
	require.NotNil(t, end.Err())
	require.Equal(t, events.CodeUnavailable, end.Err().Code)
	require.Equal(t, "a", end.Err().Provider)
	partial := doortest.JSON[events.ErrorReply](t, end).Partial
	require.Equal(t, "one two", partial.Choices[0].Message.Content.Text)
	require.Equal(t, "a/m", partial.Model)
	require.Equal(t, 9, partial.Usage.TotalTokens, "what was used so far")
	told := r.Processed(t)
	require.Equal(t, []any{"a/m", 1, events.CodeUnavailable, 9}, []any{told.AnsweredBy, told.Attempts, told.Code, told.TotalTokens})
	require.Empty(t, r.server(t, "b").Requests(), "nobody else was asked")
}

// When nobody can, who asks is told when it is worth asking again.
func TestAllAreDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		code   events.Code
	}{
		"down":    {http.StatusServiceUnavailable, events.CodeUnavailable},
		"limited": {http.StatusTooManyRequests, events.CodeRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, twoProviders)
			r.server(t, "a").Script(fails(c.status, "Retry-After: 900"))
			r.server(t, "b").Script(fails(c.status, "Retry-After: 300"))
			for i := range 2 { // the second time without anybody being asked
				failure := r.Ask(t, interactive, []byte(askFast)).Err()
				require.NotNil(t, failure)
				require.Equal(t, c.code, failure.Code)
				require.True(t, failure.Retryable)
				require.InDelta(t, 300, failure.RetryAfter.Seconds(), 30, "that of the one which is there first: %v", failure)
				told := r.Processed(t)
				require.Equal(t, events.OutcomeError, told.Outcome)
				require.Equal(t, c.code, told.Code)
				require.Equal(t, 2*(1-i), told.Attempts)
			}
			require.Len(t, r.server(t, "a").Requests(), 1)
			require.Len(t, r.server(t, "b").Requests(), 1)
			// With no more time than that, who asks is told at once.
			begun := time.Now()
			failure := r.ask(t, askFast, events.HeaderTimeoutMS, "15000").Err()
			require.Equal(t, c.code, failure.Code)
			require.Less(t, time.Since(begun), 10*time.Second)
		})
	}
}

// The caller's own fault is nobody else's.
func TestAWrongRequestGoesNoFurther(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	r.server(t, "a").Script(llmtest.Answer(http.StatusBadRequest, `{"error":{"message":"no such thing as x","type":"invalid_request_error"}}`))
	failure := r.Ask(t, interactive, []byte(askFast)).Err()
	require.Equal(t, events.CodeInvalidArgument, failure.Code)
	require.Contains(t, failure.Message, "no such thing as x")
	require.Empty(t, r.server(t, "b").Requests())
}

// One that hangs leaves time for another; when all hang, the caller's deadline ends it, and their connections.
func TestCallersDeadline(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"whole": askFast, "stream": streamFast} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, twoProviders)
			var all []*hanging
			hang := func(name string) {
				h := &hanging{ended: make(chan struct{})}
				r.server(t, name).Script(h.serve)
				all = append(all, h)
			}
			hang("a")
			message := r.ask(t, body, events.HeaderTimeoutMS, "9000") // of which b has at least a third
			require.Nil(t, message.Err())
			require.Contains(t, string(message.Body), `"model":"b/m"`)
			require.Equal(t, "b/m", r.Processed(t).AnsweredBy)
			require.True(t, all[0].asked.Load())

			hang("a")
			hang("b")
			failure := r.ask(t, body, events.HeaderTimeoutMS, "1000").Err()
			require.NotNil(t, failure)
			require.Equal(t, events.CodeDeadlineExceeded, failure.Code)
			require.Equal(t, events.CodeDeadlineExceeded, r.Processed(t).Code)
			for _, h := range all {
				if h.asked.Load() { // who was not had no time left
					wait(t, h.ended, "the connection is closed")
				}
			}
		})
	}
}

// hanging is a provider that does not answer, until its caller is gone.
type hanging struct {
	asked atomic.Bool
	ended chan struct{}
}

func (h *hanging) serve(_ http.ResponseWriter, r *http.Request) {
	h.asked.Store(true)
	<-r.Context().Done()
	close(h.ended)
}

// wait waits until something has happened.
func wait(t testing.TB, happened <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-happened:
	case <-time.After(doortest.Patience):
		require.Fail(t, "it does not happen", what)
	}
}
