package bus

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// StreamEnd is the last message of an answer in chunks: an empty one, or an error.
type StreamEnd struct {
	// Sequence is its place in the stream, from 1; 0 when no stream has begun.
	Sequence uint64
	// Reason is why the model stopped, one of those of the contract; any other is left out. Usage is what it used.
	Reason string
	Usage  *events.ChatUsage
	// Err is what the stream failed with; Partial is what was said before that.
	Err     error
	Partial *events.ChatResponse
}

// endRoom is what the headers of an end may take of a message, in bytes.
const endRoom = 4 << 10

// Encode returns the headers and the body. A partial answer that would make the body larger than limit is left out.
func (e StreamEnd) Encode(limit int64) (header map[string][]string, body []byte) {
	if e.Err != nil {
		header, body = events.EncodeError(e.Err)
		if e.Partial != nil {
			body = withPartial(body, e.Partial, limit)
		}
	} else {
		header = make(map[string][]string)
		if slices.Contains([]string{events.FinishStop, events.FinishLength, events.FinishToolCalls, events.FinishContentFilter}, e.Reason) {
			header[events.HeaderFinishReason] = []string{e.Reason}
		}
	}
	if e.Sequence > 0 {
		header[events.HeaderSequence] = []string{strconv.FormatUint(e.Sequence, 10)}
	}
	if e.Usage != nil {
		if text, err := json.Marshal(e.Usage); err == nil { // numbers only: it cannot fail
			header[events.HeaderUsage] = []string{string(text)}
		}
	}
	return header, body
}

// withPartial adds a partial answer to the body of an error, if it can be written and fits.
func withPartial(body []byte, said *events.ChatResponse, limit int64) []byte {
	var reply events.ErrorReply
	if json.Unmarshal(body, &reply) != nil {
		return body
	}
	reply.Partial = said
	if whole, err := json.Marshal(reply); err == nil && int64(len(whole)) <= limit {
		return whole
	}
	return body
}

// message is the end as it is sent to a caller, on a bus that takes messages of maxPayload bytes.
func (e StreamEnd) message(subject string, maxPayload int64) *nats.Msg {
	header, body := e.Encode(maxPayload - endRoom)
	return &nats.Msg{Subject: subject, Header: header, Data: body}
}
