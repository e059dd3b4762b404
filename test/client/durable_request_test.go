package client_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// asked is a request for the vector of a text, and hashOf what tells it from others.
func asked(text string) events.EmbeddingsRequest {
	return events.EmbeddingsRequest{Input: events.TextInput{text}}
}

func hashOf(text string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "embed\n{\"input\":%q}", text))
	return hex.EncodeToString(sum[:])
}

// madeFor are the headers of a result, of the request at a place in the stream; failure is nil for a success.
func madeFor(sequence int, hash string, failure error) (header map[string][]string, body []byte) {
	header, body = map[string][]string{}, fmt.Appendf(nil, `{"model":"of/%d"}`, sequence)
	if failure != nil {
		header, body = events.EncodeError(failure)
	}
	header[events.HeaderRequestOrigin] = []string{fmt.Sprintf("%d-1767225600000000000", sequence)}
	if hash != "" {
		header[events.HeaderRequestHash] = []string{hash}
	}
	return header, body
}

// A request takes its own answer, and none of what came before it under its id.
func TestDurableRequestTakesItsOwnAnswer(t *testing.T) {
	t.Parallel()
	passing := events.Errorf(events.CodeUnavailable, "not now")
	final := events.Errorf(events.CodeUnsupported, "never")
	for name, c := range map[string]struct {
		hash    string // of what stands there, made for a request that was stored before this one
		failure error
		waits   bool // for another
		taken   bool // the id is
	}{
		"the same, answered":            {hash: hashOf("a")},
		"the same, failed for now":      {hash: hashOf("a"), failure: passing, waits: true},
		"the same, failed for good":     {hash: hashOf("a"), failure: final, waits: true},
		"another, answered":             {hash: hashOf("b"), taken: true},
		"another, failed for good":      {hash: hashOf("b"), failure: final, taken: true},
		"another, failed for now":       {hash: hashOf("b"), failure: passing, waits: true},
		"another, whose headers failed": {failure: final, waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bustest.Start(t)
			worker, c1 := s.Connect(t, "worker"), connect(t, s, client.Caller("shop"))
			ctx := within(t)
			_, err := c1.SubmitEmbed(ctx, "", asked("z")) // has the sequence 1
			require.NoError(t, err)
			header, body := madeFor(1, c.hash, c.failure)
			answer(t, worker, "shop", "order-1", header, body)
			d, err := c1.DurableEmbed("order-1", asked("a"))
			require.NoError(t, err)
			require.Equal(t, "order-1", d.ID())
			require.NoError(t, d.Submit(ctx))
			require.False(t, d.Duplicate())
			got := make(chan error, 1)
			var resp events.EmbeddingsResponse
			go func() { got <- d.Result(ctx, &resp) }()
			if c.taken {
				err = <-got
				requireCode(t, events.CodeInvalidArgument, err)
				require.ErrorContains(t, err, `the request id "order-1" is that of another request`)
				return
			}
			want := "of/1"
			if c.waits {
				want = "of/2"
				requireConsumers(t, s, "MLSDM_RESULTS", 1)
				header, body = madeFor(2, hashOf("a"), nil)
				answer(t, worker, "shop", "order-1", header, body)
			}
			require.NoError(t, <-got)
			require.Equal(t, want, resp.Model)
		})
	}
}

// What is stored already is not stored again, and what stands there is its answer, failures too.
func TestDurableRequestThatIsThere(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	worker, c := s.Connect(t, "worker"), connect(t, s)
	ctx := within(t)
	_, err := c.SubmitEmbed(ctx, "twice", asked("a"))
	require.NoError(t, err)
	d, err := c.DurableEmbed("twice", asked("a"))
	require.NoError(t, err)
	require.NoError(t, d.Submit(ctx))
	require.True(t, d.Duplicate())
	header, body := madeFor(1, hashOf("a"), events.Errorf(events.CodeUnavailable, "not now"))
	answer(t, worker, "", "twice", header, body)
	requireCode(t, events.CodeUnavailable, d.Result(ctx, nil))

	// Whoever asks for something else within the time in which JetStream knows the id is told so, and gets no other's vectors.
	other, err := c.DurableEmbed("twice", asked("b"))
	require.NoError(t, err)
	require.NoError(t, other.Submit(ctx))
	require.True(t, other.Duplicate())
	requireCode(t, events.CodeInvalidArgument, other.Result(ctx, nil))
	header, body = madeFor(1, hashOf("a"), nil)
	answer(t, worker, "", "twice", header, body)
	_, err = c.EmbedDurable(ctx, "twice", asked("b"))
	requireCode(t, events.CodeInvalidArgument, err)

	// Who has sent nothing takes the answer to the same.
	late, err := c.DurableEmbed("twice", asked("a"))
	require.NoError(t, err)
	var resp events.EmbeddingsResponse
	require.NoError(t, late.Result(ctx, &resp))
	require.Equal(t, "of/1", resp.Model)

	for _, id := range []string{"a.b", "a b", "*"} {
		_, err = c.DurableEmbed(id, asked("a"))
		requireCode(t, events.CodeInvalidArgument, err)
	}
	_, err = c.DurableEmbed("", events.EmbeddingsRequest{})
	requireCode(t, events.CodeInvalidArgument, err)
	_, err = c.DurableEmbed("", asked("a"), client.KeepResult(1))
	requireCode(t, events.CodeInvalidArgument, err)
}

// ResultNow does not wait.
func TestResultNow(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	worker, c := s.Connect(t, "worker"), connect(t, s, client.Caller("shop"))
	ctx := within(t)
	answer(t, worker, "shop", "other", nil, []byte(`{"model":"no/no"}`))
	var resp events.EmbeddingsResponse
	there, err := c.ResultNow(ctx, "one", &resp)
	require.NoError(t, err)
	require.False(t, there)

	header, body := events.EncodeError(events.Errorf(events.CodeUnsupported, "never"))
	answer(t, worker, "shop", "one", header, body)
	there, err = c.ResultNow(ctx, "one", &resp)
	requireCode(t, events.CodeUnsupported, err)
	require.True(t, there)
	answer(t, worker, "shop", "one", nil, []byte(`{"model":"a/m"}`))
	there, err = c.ResultNow(ctx, "one", &resp)
	require.NoError(t, err)
	require.True(t, there)
	require.Equal(t, "a/m", resp.Model, "the last")
	requireConsumers(t, s, "MLSDM_RESULTS", 0)

	_, err = c.ResultNow(ctx, "a.b", nil)
	requireCode(t, events.CodeInvalidArgument, err)
	there, err = connect(t, bustest.Start(t, bustest.Bare())).ResultNow(ctx, "one", nil)
	requireCode(t, events.CodeFailedPrecondition, err)
	require.False(t, there)
}
