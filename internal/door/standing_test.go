package door_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// paid is a worker whose work costs something: it counts.
type paid struct {
	calls atomic.Int64
	fail  atomic.Pointer[events.Error]
}

func (p *paid) work(_ context.Context, c *door.Call) ([]byte, error) {
	n := p.calls.Add(1)
	c.Report.Model = "local/paid"
	if failure := p.fail.Load(); failure != nil {
		return nil, failure
	}
	return fmt.Appendf(nil, `{"call":%d}`, n), nil
}

// again publishes a request under its id as nobody's repetition, JetStream's included, when those before it are done: somebody
// who listens may hear of a result before it is stored.
func again(t *testing.T, s *doortest.Street, subject, id string, body string) bus.Ack {
	t.Helper()
	emptied(t, s)
	ack := s.Publish(t, subject, events.NewID(), []byte(body), events.HeaderRequestID, id)
	require.False(t, ack.Duplicate)
	return ack
}

// take takes a request out of the work queue, as a replica does that then dies.
func take(t *testing.T, s *doortest.Street, consumer string) (sequence uint64, at time.Time) {
	t.Helper()
	msg, err := s.Server.Conn(t).Request("$JS.API.CONSUMER.MSG.NEXT.MLSDM_REQUESTS."+consumer, nil, doortest.Patience)
	require.NoError(t, err)
	tokens := strings.Split(msg.Reply, ".") // $JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<time>.<pending>
	require.Len(t, tokens, 9)
	sequence, err = strconv.ParseUint(tokens[5], 10, 64)
	require.NoError(t, err)
	nanos, err := strconv.ParseInt(tokens[7], 10, 64)
	require.NoError(t, err)
	return sequence, time.Unix(0, nanos)
}

// emptied waits until no request is left.
func emptied(t *testing.T, s *doortest.Street) {
	t.Helper()
	require.Eventually(t, func() bool {
		n, err := s.Bus.StreamMessages(t.Context(), "MLSDM_REQUESTS")
		return err == nil && n == 0
	}, doortest.Patience, 5*time.Millisecond)
}

func TestWhatACrashLeftAnsweredIsNotPaidForTwice(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"req-1", ""} {
		s := doortest.Start(t)
		s.Quick(t, events.ConsumerEmbedder, time.Second)
		s.Publish(t, asAlice, id, []byte("1"))
		sequence, at := take(t, s, events.ConsumerEmbedder)
		name := id
		if name == "" {
			name = strconv.FormatUint(sequence, 10)
		}
		s.Publish(t, "mlsdm.results.alice."+name, "", []byte(`{"call":1}`), events.HeaderRequestOrigin, fmt.Sprintf("%d-%d", sequence, at.UnixNano()))
		var worker paid
		open(t, s, options(t), worker.work)
		emptied(t, s)
		require.Zero(t, worker.calls.Load())
		require.JSONEq(t, `{"call":1}`, string(s.Results().Next(t).Body))
		s.Results().Nothing(t)
		s.Dead().Nothing(t)
	}
}

func TestWhatACrashLeftUnansweredIsDone(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	s.Quick(t, events.ConsumerEmbedder, time.Second)
	s.Publish(t, plain, "", []byte("1"))
	take(t, s, events.ConsumerEmbedder)
	s.Publish(t, "mlsdm.results.default.1", "", []byte(`{"of":"another stream"}`), events.HeaderRequestOrigin, "1-1", events.HeaderRequestHash, "x")
	require.JSONEq(t, `{"of":"another stream"}`, string(s.Results().Next(t).Body))
	var worker paid
	open(t, s, options(t), worker.work)
	require.JSONEq(t, `{"call":1}`, string(s.Results().Next(t).Body))
}

func TestTheSameRequestGetsItsResultAgain(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	var worker paid
	open(t, s, options(t), worker.work)
	s.Publish(t, plain, "req-1", []byte("1"))
	first := s.Results().Next(t)
	require.Equal(t, "1-", first.Value(events.HeaderRequestOrigin)[:2])
	require.Regexp(t, "^[0-9a-f]{64}$", first.Value(events.HeaderRequestHash))
	require.Equal(t, events.OutcomeOK, s.Processed(t).Outcome)

	emptied(t, s)
	s.Publish(t, plain, events.NewID(), []byte("1"), events.HeaderRequestID, "req-1", events.HeaderResultTTL, "90m")
	second := s.Results().Next(t)
	require.Equal(t, first.Subject, second.Subject)
	require.Equal(t, first.Body, second.Body)
	require.Equal(t, "2-", second.Value(events.HeaderRequestOrigin)[:2])
	require.Equal(t, "5400s", second.Value(events.HeaderMsgTTL), "with a life of its own")
	require.Equal(t, events.OutcomeOK, s.Processed(t).Outcome)
	require.EqualValues(t, 1, worker.calls.Load())

	worker.fail.Store(events.Errorf(events.CodeContentRejected, "no"))
	again(t, s, plain, "req-2", "1")
	require.Equal(t, events.CodeContentRejected, s.Results().Next(t).Err().Code)
	again(t, s, plain, "req-2", "1")
	require.Equal(t, events.CodeContentRejected, s.Results().Next(t).Err().Code)
	require.EqualValues(t, 2, worker.calls.Load(), "an error that does not pass is a result too")
}

func TestSomethingElseUnderTheSameIDDoesNotReplaceTheFirst(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	var worker paid
	open(t, s, options(t), worker.work)
	again(t, s, plain, "req-1", "1")
	require.Equal(t, "mlsdm.results.default.req-1", s.Results().Next(t).Subject)
	ack := again(t, s, plain, "req-1", "2")
	refused := s.Results().Next(t)
	require.Equal(t, fmt.Sprintf("mlsdm.results.default.%d", ack.Sequence), refused.Subject)
	require.Equal(t, events.CodeInvalidArgument, refused.Err().Code)
	require.Contains(t, refused.Err().Message, `"req-1"`)
	require.EqualValues(t, 1, worker.calls.Load())

	again(t, s, asAlice, "req-1", "2") // hers, and not the same
	require.Equal(t, "mlsdm.results.alice.req-1", s.Results().Next(t).Subject)
	require.EqualValues(t, 2, worker.calls.Load())
}

func TestAFailureThatMayPassDoesNotStandInTheWay(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	var worker paid
	worker.fail.Store(events.Errorf(events.CodeUnavailable, "later"))
	opts := options(t)
	opts.MaxAttempts = 1
	open(t, s, opts, worker.work)
	again(t, s, plain, "req-1", "1")
	require.Equal(t, events.CodeUnavailable, s.Results().Next(t).Err().Code)
	worker.fail.Store(nil)
	again(t, s, plain, "req-1", "1")
	require.JSONEq(t, `{"call":2}`, string(s.Results().Next(t).Body))
}

// A request that was refused for its headers can be made right, and keep its id.
func TestABetterHeaderIsAnotherRequest(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	var worker paid
	open(t, s, options(t), worker.work)
	for _, header := range []string{events.HeaderResultTTL, events.HeaderTimeoutMS} {
		s.Publish(t, plain, events.NewID(), []byte("1"), events.HeaderRequestID, header, header, "soon")
		require.Equal(t, events.CodeInvalidArgument, s.Results().Next(t).Err().Code)
		again(t, s, plain, header, "1")
		require.Nil(t, s.Results().Next(t).Err())
	}
}

// What was stored under the id of a request while it was worked on stays.
func TestAResultThatAppearsMeanwhileStays(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	opts := options(t)
	opts.MaxAttempts = 2
	open(t, s, opts, func(_ context.Context, c *door.Call) ([]byte, error) {
		// As another service does that was asked under the same id.
		s.Publish(t, "mlsdm.results.default.req-1", "", []byte(`{"call":1}`), events.HeaderRequestOrigin, "1-1", events.HeaderRequestHash, "of another")
		return nil, errors.New("boom")
	})
	s.Publish(t, plain, "req-1", []byte("1"))
	require.JSONEq(t, `{"call":1}`, string(s.Results().Next(t).Body))
	refused := s.Results().Next(t)
	require.Equal(t, "mlsdm.results.default.1", refused.Subject)
}

// A call that takes longer than the server waits for a sign of life is not handed out a second time.
func TestALongCallIsKeptAlive(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	s.Quick(t, events.ConsumerEmbedder, 2*time.Second)
	var calls atomic.Int64
	open(t, s, options(t), func(ctx context.Context, _ *door.Call) ([]byte, error) {
		calls.Add(1)
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
		}
		return []byte("1"), nil
	})
	s.Publish(t, plain, "req-1", []byte("1"))
	s.Results().Next(t)
	emptied(t, s)
	require.EqualValues(t, 1, calls.Load())
}
