package embedder

import (
	"encoding/base64"
	"errors"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// errTooLarge is that a reply does not fit one message.
var errTooLarge = errors.New("the reply is too large")

// Sizes of what stands in a reply, in bytes.
const (
	itemLeast  = 46 // around a vector
	floatLeast = 2  // one number and its comma
)

// least is the size of the vectors of a reply, in bytes: what they have at least, and what they have as a rule.
func least(texts, length int, packed bool) (surely, usually int) {
	if packed {
		size := texts * (itemLeast + base64.StdEncoding.EncodedLen(4*length))
		return size, size
	}
	return texts * (itemLeast + floatLeast*length), texts * (itemLeast + floatRoom*length)
}

// fits refuses a request whose reply surely takes more than one message, before anybody has paid for it. length is that of the vectors; 0
// when it is not known.
func fits(req *events.EmbeddingsRequest, length, limit int) error {
	packed := req.EncodingFormat == events.EncodingBase64
	surely, usually := least(req.Count(), length, packed)
	if length == 0 || surely <= limit {
		return nil
	}
	return tooLarge(usually, req.Count(), packed, limit)
}

// tooLarge says what would fit.
func tooLarge(size, texts int, packed bool, limit int) error {
	hint := ""
	if !packed {
		hint = `, or about twice as many with "encoding_format": "base64"`
	}
	e := events.Errorf(events.CodeInvalidArgument,
		"the reply has about %d bytes; one message takes at most %d: about %d texts of this model fit%s. A durable request may be larger",
		size, limit, limit/(size/texts+1), hint)
	e.Err = errTooLarge
	return e
}

// reply writes the reply to a request of which some text has a vector, in the call's room. The error wraps [errTooLarge] when one message
// does not hold it.
func reply(call *door.Call, req *events.EmbeddingsRequest, got *result) ([]byte, error) {
	packed := req.EncodingFormat == events.EncodingBase64
	res := events.EmbeddingsResponse{
		Model: got.model.Name, Data: make([]events.Embedding, len(got.items)), Failed: got.failed, Space: got.space(),
		Usage: events.EmbeddingsUsage{PromptTokens: got.tokens, TotalTokens: got.tokens},
	}
	for i := range got.items {
		it := &got.items[i]
		res.Data[i] = events.Embedding{Index: i, Embedding: events.Vector{Values: it.Vector, Base64: packed}, Truncated: it.Truncated}
		if it.Err != nil {
			res.Data[i].Error = told(it.Err)
		}
	}
	body, written, err := encode(&res, call.Limit, call.Room)
	if err != nil {
		return nil, err
	}
	call.Room = body
	if len(body) > call.Limit {
		return nil, tooLarge(len(body)/max(written, 1)*len(res.Data), len(res.Data), packed, call.Limit)
	}
	return body, nil
}
