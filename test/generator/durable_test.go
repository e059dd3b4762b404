package generator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	workers = 8
	ackWait = 5 * time.Second // after which what a killed generator had in hand is handed out again
)

// A generator that is killed again and again loses no request, and pays for none twice that has its answer: what it had in hand is
// all that is asked again.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	requests, kills := 100, 3
	if full() {
		requests, kills = 500, 10
	}
	h := newHouse(t, map[string]string{"GENERATOR_WORKERS": strconv.Itoa(workers), "GENERATOR_MAX_ATTEMPTS": "100"})
	h.provider.takes = 40 * time.Millisecond
	js, err := jetstream.New(h.nc)
	require.NoError(t, err)
	h.hurry(t, js)
	results := make(chan *nats.Msg, 10*requests)
	_, err = h.nc.ChanSubscribe("mlsdm.results.default.*", results)
	require.NoError(t, err)
	for i := range requests {
		msg := nats.NewMsg("mlsdm.requests.generate")
		msg.Header.Set(events.HeaderMsgID, fmt.Sprintf("q-%d", i))
		msg.Data = fmt.Appendf(nil, `{"prompt":"question %d","stream":%t}`, i, streamed(i))
		_, err := js.PublishMsg(t.Context(), msg)
		require.NoError(t, err)
	}
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for life := range kills {
		p := h.start(t)
		await(t, results, (requests*(life+1)/(kills+1))-(requests*life/(kills+1)))
		p.KillAfter(time.Duration(random.Int64N(int64(2 * h.provider.takes))))
	}
	h.start(t)

	stored := h.results(t, js, requests)
	h.requireKept(t, requests)
	repeated, twice := 0, 0
	for i := range requests {
		when := stored[fmt.Sprintf("question %d", i)]
		require.False(t, when.IsZero(), "request %d", i)
		calls := h.provider.begun(fmt.Sprintf("question %d", i))
		require.NotEmpty(t, calls)
		for _, began := range calls {
			require.False(t, began.After(when), "request %d was paid for again at %s, and had its answer at %s", i, began, when)
		}
		repeated += len(calls) - 1
		if len(calls) > 1 {
			twice++
		}
	}
	t.Logf("%d requests, %d kills: %d results, %d paid calls; %d requests were asked more than once", requests, kills, len(stored),
		h.provider.paid(), twice)
	require.LessOrEqual(t, repeated, kills*workers, "no more is repeated than was in hand")
	dead, err := js.Stream(t.Context(), events.Subjects{}.StreamName(events.StreamDeadLetters))
	require.NoError(t, err)
	require.Zero(t, dead.CachedInfo().State.Msgs, "nothing was given up")
}

// streamed reports whether the answer to a request is kept in chunks, too.
func streamed(request int) bool { return request%4 == 0 }

// requireKept checks the chunks that are kept: whoever reads them now gets the whole answer.
func (h *house) requireKept(t *testing.T, requests int) {
	t.Helper()
	c, err := client.Connect(t.Context(), h.URL())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for i := range requests {
		if !streamed(i) {
			continue
		}
		said := make(map[int]string) // by attempt
		last := 0
		for chunk, err := range c.Attach(ctx, fmt.Sprintf("q-%d", i)) {
			require.NoError(t, err, "request %d", i)
			require.GreaterOrEqual(t, chunk.Attempt, last)
			last = chunk.Attempt
			for _, choice := range chunk.Choices {
				said[last] += choice.Delta.Content
			}
		}
		require.Equal(t, fmt.Sprintf("answer to question %d", i), said[last])
	}
}

// hurry sets after which time what nobody shows a sign of is handed out again.
func (h *house) hurry(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	stream := events.Subjects{}.StreamName(events.StreamRequests)
	consumer, err := js.Consumer(t.Context(), stream, events.ConsumerGenerator)
	require.NoError(t, err)
	cfg := consumer.CachedInfo().Config
	cfg.AckWait = ackWait
	_, err = js.UpdateConsumer(t.Context(), stream, cfg)
	require.NoError(t, err)
}

// await waits for so many messages.
func await(t *testing.T, messages <-chan *nats.Msg, n int) {
	t.Helper()
	for range n {
		select {
		case <-messages:
		case <-time.After(2 * patience):
			require.Fail(t, "no result comes")
		}
	}
}

// results waits until there are so many, and returns when each was stored, by its question. Each is there once, and is right.
func (h *house) results(t *testing.T, js jetstream.JetStream, n int) map[string]time.Time {
	t.Helper()
	name := events.Subjects{}.StreamName(events.StreamResults)
	eventually(t, "all results", func() bool {
		stream, err := js.Stream(t.Context(), name)
		require.NoError(t, err)
		return stream.CachedInfo().State.Msgs >= uint64(n)
	})
	// Whoever works on one that has its result is done soon.
	eventually(t, "no work is left", func() bool {
		stream, err := js.Stream(t.Context(), events.Subjects{}.StreamName(events.StreamRequests))
		require.NoError(t, err)
		return stream.CachedInfo().State.Msgs == 0
	})
	consumer, err := js.OrderedConsumer(t.Context(), name, jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	stored := make(map[string]time.Time)
	for range n {
		m, err := consumer.Next(jetstream.FetchMaxWait(patience))
		require.NoError(t, err)
		meta, err := m.Metadata()
		require.NoError(t, err)
		require.Empty(t, m.Headers().Get(events.HeaderErrorCode), "%s", m.Data())
		var res events.ChatResponse
		require.NoError(t, json.Unmarshal(m.Data(), &res))
		var number int
		_, err = fmt.Sscanf(m.Headers().Get(events.HeaderRequestID), "q-%d", &number)
		require.NoError(t, err)
		question := fmt.Sprintf("question %d", number)
		require.Equal(t, "answer to "+question, res.Choices[0].Message.Content.Text)
		require.NotContains(t, stored, question, "it is there once")
		stored[question] = meta.Timestamp
	}
	return stored
}
