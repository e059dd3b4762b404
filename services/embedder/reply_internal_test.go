package embedder

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
)

// resultOf is what became of texts: a vector of so many numbers each.
func resultOf(texts, length int) *result {
	got := &result{model: &catalog.Model{Name: "p/m", Space: "p/m"}, items: make([]item, texts)}
	for i := range got.items {
		got.items[i].Vector = make([]float32, length)
		for j := range got.items[i].Vector {
			got.items[i].Vector[j] = 0.12345678
		}
	}
	got.count()
	return got
}

// TestReplyStaysWithinItsLimit, and so does the memory that it takes to find out that it does not.
func TestReplyStaysWithinItsLimit(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	for _, format := range []string{events.EncodingFloat, events.EncodingBase64} {
		req := &events.EmbeddingsRequest{EncodingFormat: format}
		got := resultOf(2048, 1536)
		body, err := reply(&door.Call{Limit: limit}, req, got)
		require.ErrorIs(t, err, errTooLarge)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
		require.Nil(t, body)
		res := events.EmbeddingsResponse{Data: make([]events.Embedding, len(got.items))}
		for i := range res.Data {
			res.Data[i].Embedding = events.Vector{Values: got.items[i].Vector, Base64: format == events.EncodingBase64}
		}
		begun, written, err := encode(&res, limit, nil)
		require.NoError(t, err)
		require.Less(t, written, 20)
		require.Less(t, cap(begun), 4*limit)

		body, err = reply(&door.Call{Limit: limit}, req, resultOf(2, 1536))
		require.NoError(t, err)
		require.True(t, json.Valid(body))
	}
}

// TestReplyInTheSameMemory: nothing of a reply is left in the next one.
func TestReplyInTheSameMemory(t *testing.T) {
	t.Parallel()
	var room []byte
	for _, length := range []int{300, 3, 100, 1536, 7} {
		req, got := &events.EmbeddingsRequest{EncodingFormat: events.EncodingBase64}, resultOf(3, length)
		want, err := reply(&door.Call{Limit: 1 << 20}, req, got)
		require.NoError(t, err)
		call := &door.Call{Limit: 1 << 20, Room: room[:0]}
		body, err := reply(call, req, got)
		require.NoError(t, err)
		require.Equal(t, want, body)
		require.Same(t, &body[0], &call.Room[0], "to be used again")
		room = call.Room
	}
}

// TestWhatIsSurelyTooLarge is refused, and nothing else: a reply that fits is never refused beforehand.
func TestWhatIsSurelyTooLarge(t *testing.T) {
	t.Parallel()
	for _, format := range []string{events.EncodingFloat, events.EncodingBase64} {
		req := &events.EmbeddingsRequest{EncodingFormat: format, Input: make(events.TextInput, 10)}
		got := resultOf(10, 100)
		for i := range got.items {
			clear(got.items[i].Vector) // which are the shortest numbers
		}
		body, err := reply(&door.Call{Limit: 1 << 20}, req, got)
		require.NoError(t, err)
		require.NoError(t, fits(req, 100, len(body)))
		require.NoError(t, fits(req, 0, 1), "it is not known")
		require.ErrorIs(t, fits(req, 100, len(body)/2), errTooLarge)
	}
}

// TestWhole: what may pass is told, before what is the fault of a text.
func TestWhole(t *testing.T) {
	t.Parallel()
	own := &llm.Fault{Class: llm.ClassUnsupported, Err: events.Errorf(events.CodeInvalidArgument, "too long")}
	space := &llm.Fault{Class: llm.ClassModel, Err: events.Errorf(events.CodeFailedPrecondition, "another length")}
	limit := &llm.Fault{Class: llm.ClassLimit, Err: &events.Error{
		Code: events.CodeRateLimited, Message: "slow down", Retryable: true, RetryAfter: time.Minute, Provider: "p",
	}}
	for name, c := range map[string]struct {
		errs []error
		want *llm.Fault
	}{
		"one": {[]error{own}, own}, "all the same": {[]error{own, own}, own}, "space": {[]error{own, space}, space}, "limit": {[]error{own, space, limit}, limit},
	} {
		got := &result{}
		for _, err := range c.errs {
			got.items = append(got.items, item{Err: err})
		}
		e := events.AsError(whole(got))
		require.Equal(t, c.want.Err.Code, e.Code, name)
		require.Contains(t, e.Message, c.want.Err.Message, name)
		require.Equal(t, c.want.Err.RetryAfter, e.RetryAfter, name)
		require.Equal(t, c.want.Err.Provider, e.Provider, name)
	}
}
