package bus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// asker is a caller with nothing but a NATS client.
type asker struct {
	nc     *nats.Conn
	inbox  string
	chunks *nats.Subscription
}

// ask asks for a stream; headers are names and values in turn.
func ask(t *testing.T, s *bustest.Server, subject, body string, headers ...string) *asker {
	t.Helper()
	a := &asker{nc: s.Conn(t)}
	a.inbox = a.nc.NewInbox()
	var err error
	a.chunks, err = a.nc.SubscribeSync(a.inbox)
	require.NoError(t, err)
	msg := &nats.Msg{Subject: subject, Reply: a.inbox, Data: []byte(body), Header: nats.Header{}}
	for i := 0; i+1 < len(headers); i += 2 {
		msg.Header[headers[i]] = []string{headers[i+1]}
	}
	require.NoError(t, a.nc.PublishMsg(msg))
	require.NoError(t, a.nc.Flush())
	return a
}

// next is the next message of the answer.
func (a *asker) next(t *testing.T) *nats.Msg {
	t.Helper()
	msg, err := a.chunks.NextMsg(patience)
	require.NoError(t, err)
	return msg
}

// say answers a chunk.
func (a *asker) say(t *testing.T, subject, body string) {
	t.Helper()
	require.NoError(t, a.nc.Publish(subject, []byte(body)))
	require.NoError(t, a.nc.Flush())
}

// talker is a handler that streams numbers for as long as anybody wants, or as many as it is asked for.
type talker struct {
	sent  atomic.Int64
	begun chan struct{}
	ended chan error // the cause with which ctx ended, or nil
}

func newTalker() *talker {
	return &talker{begun: make(chan struct{}, 100), ended: make(chan error, 100)}
}

func (h *talker) handle(ctx context.Context, r *bus.Request) error {
	h.begun <- struct{}{}
	err := h.talk(ctx, r)
	h.ended <- context.Cause(ctx)
	return err
}

func (h *talker) talk(ctx context.Context, r *bus.Request) error {
	if string(r.Body) == "silent" {
		<-ctx.Done()
		return ctx.Err()
	}
	number, slow := strings.CutPrefix(string(r.Body), "slow ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return events.Errorf(events.CodeInvalidArgument, "not a number")
	}
	for i := range n {
		if slow {
			<-time.After(time.Millisecond)
		}
		if err := r.Send([]byte(strconv.Itoa(i))); err != nil {
			return err
		}
		h.sent.Add(1)
	}
	r.Ends(events.FinishStop, &events.ChatUsage{PromptTokens: 1, CompletionTokens: n, TotalTokens: n + 1})
	return nil
}

// end waits until the handler's ctx has ended, and returns why.
func (h *talker) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-h.ended:
		return err
	case <-time.After(patience):
		require.Fail(t, "the handler goes on")
		return nil
	}
}

// stays checks that the handler goes no further than n chunks.
func (h *talker) stays(t *testing.T, n int64) {
	t.Helper()
	require.Eventually(t, func() bool { return h.sent.Load() == n }, patience, time.Millisecond)
	require.Never(t, func() bool { return h.sent.Load() != n }, 50*time.Millisecond, time.Millisecond)
}

const endless = "1000000000"

func TestChunksAreNumberedAndTheEndTells(t *testing.T) {
	t.Parallel()
	s, h := bustest.Start(t, bustest.Bare()), newTalker()
	serve(t, s.Connect(t, "test"), bus.Operation{Name: events.OpGenerate, Handler: h.handle})
	a := ask(t, s, "mlsdm.as.ann.generate", "3")
	for i := range 3 {
		m := a.next(t)
		require.Equal(t, strconv.Itoa(i), string(m.Data))
		require.Equal(t, strconv.Itoa(i+1), m.Header.Get(events.HeaderSequence))
		require.Regexp(t, `^mlsdm\.as\.ann\.streams\.[^.]+\.[0-9]+$`, m.Reply)
	}
	m := a.next(t)
	require.Empty(t, m.Data)
	require.Equal(t, "4", m.Header.Get(events.HeaderSequence))
	require.Equal(t, "stop", m.Header.Get(events.HeaderFinishReason))
	require.JSONEq(t, `{"prompt_tokens":1,"completion_tokens":3,"total_tokens":4}`, m.Header.Get(events.HeaderUsage))
	require.Regexp(t, `^mlsdm\.streams\.`, ask(t, s, "mlsdm.generate", "1").next(t).Reply)
}

// brokeOffError is an error that tells what was said before.
type brokeOffError struct{ said string }

func (e *brokeOffError) Error() string { return "broke off" }
func (e *brokeOffError) Unwrap() error {
	return events.Errorf(events.CodeUnavailable, "the provider went away")
}

func (e *brokeOffError) Partial() *events.ChatResponse {
	return &events.ChatResponse{Choices: []events.ChatChoice{{Message: events.ChatMessage{Role: "assistant", Content: events.TextContent(e.said)}}}}
}

func TestAFailureTellsWhatWasSaidBefore(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	serve(t, s.Connect(t, "test"), bus.Operation{Name: events.OpGenerate, Handler: func(_ context.Context, r *bus.Request) error {
		if err := r.Send([]byte("a")); err != nil {
			return err
		}
		r.Ends("", &events.ChatUsage{TotalTokens: 7})
		size, err := strconv.Atoi(string(r.Body))
		require.NoError(t, err)
		return fmt.Errorf("attempt 1: %w", &brokeOffError{strings.Repeat("x", size)})
	}})
	for size, told := range map[string]bool{"5": true, "20000000": false} { // the last fits into no message
		a := ask(t, s, "mlsdm.generate", size)
		a.next(t)
		m := a.next(t)
		require.Equal(t, "unavailable", m.Header.Get(events.HeaderErrorCode))
		require.Equal(t, "2", m.Header.Get(events.HeaderSequence))
		require.Contains(t, m.Header.Get(events.HeaderUsage), `"total_tokens":7`)
		var reply events.ErrorReply
		require.NoError(t, json.Unmarshal(m.Data, &reply))
		require.Equal(t, "the provider went away", reply.Error.Message)
		require.True(t, reply.Error.Retryable)
		require.Equal(t, told, reply.Partial != nil)
		if told {
			require.Equal(t, "xxxxx", reply.Partial.Choices[0].Message.Content.Text)
		}
	}
}

// Nobody listens any more: the server says so with the next chunk.
func TestAReaderWhoLeavesEndsTheWork(t *testing.T) {
	t.Parallel()
	s, h := bustest.Start(t, bustest.Bare()), newTalker()
	serve(t, s.Connect(t, "test"), bus.Operation{Name: events.OpGenerate, Handler: h.handle})
	for _, leave := range []func(*asker) error{
		func(a *asker) error { return a.chunks.Unsubscribe() },
		func(a *asker) error { a.nc.Close(); return nil },
	} {
		for _, subject := range []string{"mlsdm.generate", "mlsdm.as.ann.generate"} {
			a := ask(t, s, subject, "slow "+endless)
			a.next(t)
			require.NoError(t, leave(a))
			left := time.Now()
			err := h.end(t)
			require.Equal(t, events.CodeCanceled, events.CodeOf(err))
			require.ErrorContains(t, err, "nobody reads")
			t.Logf("ended %v after the reader left", time.Since(left))
		}
	}
}

func TestCallersCancelTheirRequests(t *testing.T) {
	t.Parallel()
	s, h := bustest.Start(t, bustest.Bare()), newTalker()
	for _, replica := range []string{"one", "two"} {
		serve(t, s.Connect(t, replica), bus.Operation{Name: events.OpGenerate, Workers: 8, Handler: h.handle})
	}
	for subject, cancel := range map[string]string{"mlsdm.generate": "mlsdm.cancel.", "mlsdm.as.ann.generate": "mlsdm.as.ann.cancel."} {
		for i := range 6 { // at either replica
			id := "r-" + strconv.Itoa(i)
			a := ask(t, s, subject, "silent", events.HeaderRequestID, id)
			<-h.begun
			a.say(t, "mlsdm.as.bob.cancel."+id, "")
			a.say(t, "mlsdm.as.ann.cancel."+id+"0", "")
			a.say(t, "mlsdm.as.ann.cancel."+id+".x", "")
			require.Empty(t, h.ended, "these cancel something else")
			a.say(t, cancel+id, "please")
			require.Equal(t, events.CodeCanceled, events.CodeOf(h.end(t)))
			m := a.next(t)
			require.Equal(t, "canceled", m.Header.Get(events.HeaderErrorCode))
			require.Contains(t, string(m.Data), "the caller canceled the request")
		}
	}
	m := ask(t, s, "mlsdm.generate", "1", events.HeaderRequestID, "a.b").next(t)
	require.Equal(t, "invalid_argument", m.Header.Get(events.HeaderErrorCode))
}

// Request and cancellation come on two subscriptions, so the second may be seen first.
func TestACancellationMayComeFirst(t *testing.T) {
	t.Parallel()
	s, h := bustest.Start(t, bustest.Bare()), newTalker()
	serve(t, s.Connect(t, "test"), bus.Operation{Name: events.OpGenerate, Handler: h.handle})
	marker := ask(t, s, "mlsdm.generate", "silent", events.HeaderRequestID, "marker")
	<-h.begun
	for i := range 10_000 { // of which many are forgotten
		require.NoError(t, marker.nc.Publish("mlsdm.cancel."+strconv.Itoa(i), nil))
	}
	require.NoError(t, marker.nc.Publish("mlsdm.cancel.r-1", nil))
	marker.say(t, "mlsdm.cancel.marker", "")
	require.Error(t, h.end(t), "so all before it was heard")
	m := ask(t, s, "mlsdm.generate", "silent", events.HeaderRequestID, "r-1").next(t)
	require.Equal(t, "canceled", m.Header.Get(events.HeaderErrorCode))
	require.Equal(t, "0", string(ask(t, s, "mlsdm.generate", "1", events.HeaderRequestID, "r-1").next(t).Data), "once")
}

func TestAReaderPacesItsStream(t *testing.T) {
	t.Parallel()
	s, h := bustest.Start(t, bustest.Bare()), newTalker()
	serve(t, s.Connect(t, "test"), bus.Operation{Name: events.OpGenerate, Handler: h.handle})
	for _, window := range []string{"0", "-3", "65537", "x"} {
		m := ask(t, s, "mlsdm.generate", "1", events.HeaderWindow, window).next(t)
		require.Equal(t, "invalid_argument", m.Header.Get(events.HeaderErrorCode))
	}
	a := ask(t, s, "mlsdm.as.ann.generate", "100", events.HeaderWindow, "10")
	h.stays(t, 10)
	control := a.next(t).Reply
	a.say(t, control, `{"received":4}`)
	h.stays(t, 14)
	other := strings.Replace(control, ".ann.", ".bob.", 1)
	plain := strings.Replace(control, ".as.ann.", ".", 1)
	for _, said := range [][2]string{
		{control, `{"received":4}`},
		{control, `{"received":3}`},
		{control, `{"received":15}`},
		{control, `{"received":18446744073709551615}`},
		{control, `{"received":99999999999999999999999}`},
		{control, `{"received":-1}`},
		{control, `{"received":"14"}`},
		{control, `{"cancel":"yes"}`},
		{control, ""},
		{control, "nonsense"},
		{control, `[]`},
		{control, `{"received":` + strings.Repeat(" ", 1<<20) + `14}`},
		{control, strings.Repeat("[", 1<<20)},
		{other, `{"received":14}`},
		{other, `{"cancel":true}`},
		{plain, `{"cancel":true}`},
		{control + "9", `{"cancel":true}`},
		{control[:strings.LastIndexByte(control, '.')] + ".x", `{"cancel":true}`},
	} {
		a.say(t, said[0], said[1])
	}
	h.stays(t, 14)
	for range 100_000 { // the same over and over
		require.NoError(t, a.nc.Publish(control, []byte(`{"received":4}`)))
	}
	a.say(t, control, `{ "received" : 14 }`)
	h.stays(t, 24)
	for n := 1; ; n++ {
		m := a.next(t)
		if len(m.Data) == 0 {
			require.Equal(t, 100, n)
			break
		}
		require.Equal(t, strconv.Itoa(n), string(m.Data))
		a.say(t, control, `{"received":`+m.Header.Get(events.HeaderSequence)+`}`)
	}
	require.NoError(t, h.end(t))
	a.say(t, control, `{"cancel":true}`) // of what is over
}

func TestAReaderEndsItsStream(t *testing.T) {
	t.Parallel()
	s, h := bustest.Start(t, bustest.Bare()), newTalker()
	serve(t, s.Connect(t, "test"), bus.Operation{Name: events.OpGenerate, Handler: h.handle})
	for _, headers := range [][]string{nil, {events.HeaderWindow, "2"}} { // waiting for room, or not
		a := ask(t, s, "mlsdm.generate", "slow "+endless, headers...)
		a.say(t, a.next(t).Reply, `{"cancel":true}`)
		require.ErrorContains(t, h.end(t), "the reader ended the stream")
		for {
			if m := a.next(t); m.Header.Get(events.HeaderErrorCode) != "" {
				require.Equal(t, "canceled", m.Header.Get(events.HeaderErrorCode))
				break
			}
		}
	}
}

func TestAReaderWhoSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	s, h := bustest.Start(t, bustest.Bare()), newTalker()
	serve(t, s.Connect(t, "test"), bus.Operation{Name: events.OpGenerate, ReaderPatience: 100 * time.Millisecond, Handler: h.handle})
	a := ask(t, s, "mlsdm.generate", endless, events.HeaderWindow, "3")
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(h.end(t)))
	for range 3 {
		require.NotEmpty(t, a.next(t).Data)
	}
	m := a.next(t)
	require.Equal(t, "failed_precondition", m.Header.Get(events.HeaderErrorCode))
	require.Equal(t, "4", m.Header.Get(events.HeaderSequence))
	require.EqualValues(t, 3, h.sent.Load())
}

// A reader is heard while a service stops: its stream comes to its end.
func TestAPacedStreamOutlivesTheStop(t *testing.T) {
	t.Parallel()
	s, h := bustest.Start(t, bustest.Bare()), newTalker()
	b := s.Connect(t, "test")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Serve(ctx, bus.Service{Name: "mlsdm-test", Version: "1.2.3", DrainTimeout: patience, Operations: []bus.Operation{{
			Name: events.OpGenerate, Handler: h.handle,
		}}})
	}()
	require.Eventually(t, func() bool {
		_, err := b.Request(t.Context(), bus.Msg{Subject: "$SRV.PING.mlsdm-test"})
		return err == nil
	}, patience, time.Millisecond)
	a := ask(t, s, "mlsdm.generate", "50", events.HeaderWindow, "5")
	first := a.next(t)
	cancel()
	require.Eventually(t, func() bool { // it takes no more
		_, err := b.Request(t.Context(), bus.Msg{Subject: "$SRV.PING.mlsdm-test"})
		return err != nil
	}, patience, time.Millisecond)
	for m := first; len(m.Data) > 0; m = a.next(t) {
		a.say(t, m.Reply, `{"received":`+m.Header.Get(events.HeaderSequence)+`}`)
	}
	require.NoError(t, h.end(t))
	require.NoError(t, <-done)
}
