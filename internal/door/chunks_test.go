package door_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	generate = "mlsdm.requests.generate"
	streamIt = `{"model":"fake/talker","prompt":"x","stream":true}`
)

// talking opens the doors of a generator that keeps chunks, and listens to them.
func talking(t *testing.T, s *doortest.Street, w door.Worker) (chunks *doortest.Ear) {
	t.Helper()
	opts := options(t)
	opts.Kind, opts.Service, opts.KeepChunks = events.KindGenerate, events.ServiceGenerator, true
	chunks = s.Listen(t, "mlsdm.chunks.>")
	open(t, s, opts, w)
	return chunks
}

// completion is a whole answer.
func completion(text string) []byte {
	body, err := json.Marshal(events.ChatResponse{
		ID: "c-1", Object: events.ObjectChatCompletion, Model: "fake/talker", Usage: &events.ChatUsage{TotalTokens: 9},
		Choices: []events.ChatChoice{{FinishReason: events.FinishStop, Message: events.ChatMessage{Role: events.RoleAssistant, Content: events.TextContent(text)}}},
	})
	if err != nil {
		panic(err)
	}
	return body
}

// say sends chunks 1 to n.
func say(c *door.Call, n int) error {
	for i := range n {
		if err := c.Send([]byte(strconv.Itoa(i + 1))); err != nil {
			return err
		}
	}
	return nil
}

// place is where a chunk stands.
func place(m doortest.Message) string {
	return m.Value(events.HeaderAttempt) + "." + m.Value(events.HeaderSequence)
}

func TestAStreamIsKept(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	const n = 500 // more than may be on their way
	chunks := talking(t, s, func(_ context.Context, c *door.Call) ([]byte, error) {
		if !c.Durable || c.Send == nil {
			return nil, events.Errorf(events.CodeInternal, "no stream")
		}
		c.FinishReason, c.Usage = events.FinishLength, &events.ChatUsage{TotalTokens: 9}
		return completion("whole"), say(c, n)
	})
	s.Publish(t, "mlsdm.as.alice.requests.generate", "", []byte(streamIt), events.HeaderRequestID, "req-1", events.HeaderResultTTL, "1m")
	for i := range n {
		m := chunks.Next(t)
		require.Equal(t, "mlsdm.chunks.alice.req-1", m.Subject)
		require.Equal(t, strconv.Itoa(i+1), string(m.Body))
		require.Equal(t, "1."+strconv.Itoa(i+1), place(m))
		require.Equal(t, "req-1", m.Value(events.HeaderRequestID))
		require.Equal(t, "70s", m.Value(events.HeaderMsgTTL), "longer than the result")
	}
	end := chunks.Next(t)
	require.Empty(t, end.Body)
	require.Equal(t, "1."+strconv.Itoa(n+1), place(end))
	require.Equal(t, "length", end.Value(events.HeaderFinishReason))
	require.Contains(t, end.Value(events.HeaderUsage), `"total_tokens":9`)
	require.JSONEq(t, string(completion("whole")), string(s.Results().Next(t).Body))

	again(t, s, "mlsdm.as.alice.requests.generate", "req-1", streamIt)
	s.Results().Next(t)
	emptied(t, s)
	chunks.Nothing(t)
}

func TestNoStreamIsKeptThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	chunks := talking(t, s, func(_ context.Context, c *door.Call) ([]byte, error) {
		if c.Send != nil {
			return nil, events.Errorf(events.CodeInternal, "a stream")
		}
		return completion("whole"), nil
	})
	for _, body := range []string{`{"prompt":"\"stream\":true"}`, `{"prompt":"x","stream":false}`, `{"stream":"true"}`, `{"stream":true`, `[]`} {
		s.Publish(t, generate, "", []byte(body))
		require.Nil(t, s.Results().Next(t).Err())
	}
	chunks.Nothing(t)
}

func TestARetriedStreamBeginsAnew(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	var calls atomic.Int64
	chunks := talking(t, s, func(_ context.Context, c *door.Call) ([]byte, error) {
		if calls.Add(1) == 1 {
			if err := say(c, 2); err != nil {
				return nil, err
			}
			return nil, events.Errorf(events.CodeUnavailable, "broke off")
		}
		return completion("whole"), say(c, 3)
	})
	s.Publish(t, generate, "req-1", []byte(streamIt))
	for _, want := range []string{"1.1", "1.2", "2.1", "2.2", "2.3", "2.4"} {
		require.Equal(t, want, place(chunks.Next(t)))
	}
	require.Nil(t, s.Results().Next(t).Err())
}

// cutOffError is an error that tells what was said before it.
type cutOffError struct{}

func (cutOffError) Error() string { return "cut off" }
func (cutOffError) Unwrap() error {
	return events.Errorf(events.CodeContentRejected, "no more of this")
}

func (cutOffError) Partial() *events.ChatResponse {
	return &events.ChatResponse{Choices: []events.ChatChoice{{Message: events.ChatMessage{Content: events.TextContent("1")}}}}
}

func TestAFailureEndsAKeptStream(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	said := atomic.Bool{}
	chunks := talking(t, s, func(_ context.Context, c *door.Call) ([]byte, error) {
		if said.Swap(true) {
			return nil, events.Errorf(events.CodeInvalidArgument, "at once")
		}
		c.Usage = &events.ChatUsage{TotalTokens: 3}
		return nil, fmt.Errorf("target 1: %w", errorsAfter(say(c, 1), cutOffError{}))
	})
	s.Publish(t, generate, "req-1", []byte(streamIt))
	require.Equal(t, "1.1", place(chunks.Next(t)))
	end, result := chunks.Next(t), s.Results().Next(t)
	require.Equal(t, "1.2", place(end))
	for _, m := range []doortest.Message{end, result} {
		require.Equal(t, events.CodeContentRejected, m.Err().Code)
		require.Equal(t, "1", doortest.JSON[events.ErrorReply](t, m).Partial.Choices[0].Message.Content.Text)
		require.Contains(t, m.Value(events.HeaderUsage), `"total_tokens":3`)
	}
	s.Publish(t, generate, "req-2", []byte(streamIt))
	require.Equal(t, events.CodeInvalidArgument, chunks.Next(t).Err().Code, "readers hear of it who have got nothing")
}

// errorsAfter is err, unless there was one before.
func errorsAfter(before, err error) error {
	if before != nil {
		return before
	}
	return err
}

func TestUsedUpAttemptsEndAKeptStream(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	chunks := talking(t, s, func(_ context.Context, c *door.Call) ([]byte, error) {
		return nil, errorsAfter(say(c, 1), events.Errorf(events.CodeUnavailable, "down"))
	})
	s.Publish(t, generate, "req-1", []byte(streamIt))
	for _, want := range []string{"1.1", "2.1", "3.1"} {
		require.Equal(t, want, place(chunks.Next(t)))
	}
	end := chunks.Next(t)
	require.Equal(t, "4.1", place(end))
	require.Equal(t, events.CodeUnavailable, end.Err().Code)
	require.Equal(t, events.CodeUnavailable, s.Results().Next(t).Err().Code)

	again(t, s, generate, "req-1", streamIt) // whoever tries again does not hear of those attempts
	require.Equal(t, "5.1", place(chunks.Next(t)))
}

// A replica that died behind the result had no time to end the stream: another one does, with all of the answer, and does not
// pay for it again.
func TestWhatACrashLeftWithoutAnEndIsEnded(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	s.Quick(t, events.ConsumerGenerator, time.Second)
	s.Publish(t, generate, "req-1", []byte(streamIt))
	sequence, at := take(t, s, events.ConsumerGenerator)
	s.Publish(t, "mlsdm.chunks.default.req-1", "", []byte("1"), events.HeaderAttempt, "1", events.HeaderSequence, "1")
	s.Publish(t, "mlsdm.results.default.req-1", "", completion("a <b>"), events.HeaderRequestOrigin, fmt.Sprintf("%d-%d", sequence, at.UnixNano()))
	var worker paid
	chunks := talking(t, s, worker.work)
	whole := chunks.Next(t)
	require.Equal(t, "2.1", place(whole))
	chunk := doortest.JSON[events.ChatChunk](t, whole)
	require.Equal(t, events.ObjectChatCompletionChunk, chunk.Object)
	require.Equal(t, "a <b>", chunk.Choices[0].Delta.Content)
	require.Equal(t, events.FinishStop, *chunk.Choices[0].FinishReason)
	end := chunks.Next(t)
	require.Equal(t, "2.2", place(end))
	require.Equal(t, "stop", end.Value(events.HeaderFinishReason))
	require.Contains(t, end.Value(events.HeaderUsage), `"total_tokens":9`)
	emptied(t, s)
	require.Zero(t, worker.calls.Load())
}
