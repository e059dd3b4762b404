package client_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// keep stores one message of a kept stream, as a generator does. An end has no text.
func keep(t *testing.T, b *bus.Bus, id, place, text string) {
	t.Helper()
	attempt, sequence, _ := strings.Cut(place, ".")
	m := bus.Msg{Subject: b.Subjects().Chunks("checkout", id), Header: map[string][]string{
		events.HeaderAttempt: {attempt}, events.HeaderSequence: {sequence},
	}}
	if text != "" {
		m.Body = chunk(text)
	}
	_, err := b.Publish(within(t), m)
	require.NoError(t, err)
}

// attached reads a kept stream to its end. What an attempt said is void when the next one begins.
func attached(ctx context.Context, c *client.Client, id string) (text string, attempt int, err error) {
	for chunk, err := range c.Attach(ctx, id) {
		if err != nil {
			return text, attempt, err
		}
		if chunk.Attempt > attempt {
			text, attempt = "", chunk.Attempt
		}
		text += chunk.Choices[0].Delta.Content
	}
	return text, attempt, nil
}

func TestAttach(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b, c := s.Connect(t, "generator"), connect(t, s, client.Caller("checkout"))
	for name, stored := range map[string][]string{
		"whole":                              {"1.1 a", "1.2 b", "1.3"},
		"behind one another":                 {"1.1 a", "1.3 c", "1.4 d", "1.2 b", "1.5"},
		"twice":                              {"1.1 a", "1.2 b", "1.1 a", "1.2 b", "1.2 b", "1.3 c", "1.3 c", "1.4"},
		"begun anew":                         {"1.1 x", "1.2 y", "2.1 a", "2.2 b", "2.3"},
		"anew while the first one still was": {"1.1 x", "2.1 a", "1.2 y", "1.3", "2.2 b", "2.3"},
		"done, and asked again":              {"1.1 x", "1.2", "2.1 a", "2.2"},
	} {
		id := strings.ReplaceAll(name, " ", "-")
		for _, m := range stored {
			place, text, _ := strings.Cut(m, " ")
			keep(t, b, id, place, text)
		}
		for range 2 {
			text, attempt, err := attached(within(t), c, id)
			require.NoError(t, err, name)
			require.Equal(t, "abcd"[:len(text)], text, name)
			require.NotEmpty(t, text, name)
			last, _, _ := strings.Cut(stored[len(stored)-1], ".")
			require.Equal(t, last, strconv.Itoa(attempt), name)
		}
	}
	requireConsumers(t, s, "MLSDM_CHUNKS", 0)
}

func TestAttachLive(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b, c := s.Connect(t, "generator"), connect(t, s, client.Caller("checkout"))
	heard := make(chan string)
	done := make(chan error, 1)
	go func() {
		var last error
		for chunk, err := range c.Attach(within(t), "live") {
			if last = err; err == nil {
				heard <- chunk.Choices[0].Delta.Content
			}
		}
		done <- last
	}()
	requireConsumers(t, s, "MLSDM_CHUNKS", 1) // before the request is there
	for i := range 5 {
		keep(t, b, "live", "1."+strconv.Itoa(i+1), strconv.Itoa(i))
		require.Equal(t, strconv.Itoa(i), <-heard)
	}
	s.Restart(t)
	keep(t, s.Connect(t, "generator"), "live", "1.6", "5")
	require.Equal(t, "5", <-heard)
	keep(t, s.Connect(t, "generator"), "live", "1.7", "")
	require.NoError(t, <-done)
}

func TestAttachFails(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b, c := s.Connect(t, "generator"), connect(t, s, client.Caller("checkout"))

	keep(t, b, "gone", "1.3", "c")
	keep(t, b, "gone", "1.4", "")
	_, _, err := attached(within(t), c, "gone")
	requireCode(t, events.CodeNotFound, err)
	require.ErrorContains(t, err, "chunk 1")

	keep(t, b, "failed", "1.1", "a")
	header, body := events.EncodeError(events.Errorf(events.CodeContentRejected, "no more of this"))
	header[events.HeaderAttempt], header[events.HeaderSequence] = []string{"1"}, []string{"2"}
	_, err = b.Publish(within(t), bus.Msg{Subject: "mlsdm.chunks.checkout.failed", Header: header, Body: body})
	require.NoError(t, err)
	text, _, err := attached(within(t), c, "failed")
	requireCode(t, events.CodeContentRejected, err)
	require.Equal(t, "a", text)

	_, err = b.Publish(within(t), bus.Msg{Subject: "mlsdm.chunks.checkout.odd", Body: []byte("x")})
	require.NoError(t, err)
	_, _, err = attached(within(t), c, "odd")
	requireCode(t, events.CodeInternal, err)

	_, _, err = attached(within(t), c, "not a token")
	requireCode(t, events.CodeInvalidArgument, err)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err = attached(short, c, "nobody-asked")
	requireCode(t, events.CodeDeadlineExceeded, err)
}

func TestLeavingAKeptStreamLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b, c := s.Connect(t, "generator"), connect(t, s, client.Caller("checkout"))
	keep(t, b, "r", "1.1", "a")
	for chunk, err := range c.Attach(within(t), "r") {
		require.NoError(t, err)
		require.Equal(t, 1, chunk.Attempt)
		break
	}
	requireConsumers(t, s, "MLSDM_CHUNKS", 0)
}
