package llmtest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Dialect is what [RunAdapter] has to know of one server's protocol: how its answers look on the wire, and what is to be made of them.
type Dialect struct {
	// New makes the adapter for a server at a base URL, http://HOST:PORT. It sends all it sends through client.
	New func(t testing.TB, url string, client *http.Client) llm.Adapter
	// Provider is the name that every error has to carry.
	Provider string

	// Answer writes the whole answer that says a reply.
	Answer func(r Reply) string
	// Stream writes the same as a stream, cut into what a server would flush: events or lines, each with its end. The first holds
	// output; see [Cut].
	Stream func(r Reply) []string
	// StreamType is the media type of a stream; empty is text/event-stream.
	StreamType string
	// Preface is what a stream may begin with before there is any output; empty is a comment of server-sent events.
	Preface string
	// Ping, if it is set, is a piece which a stream may hold anywhere, and for which the adapter calls Alive.
	Ping string

	// Finishes are the server's own words for why a model stopped, and ours for them. Those for stop and tool_calls are used in all
	// other answers; where there is none for tool_calls, it is that for stop.
	Finishes map[string]string
	// Wrapped says that the adapter reads with another one that runs the contract itself: the rows about what is broken or hostile in
	// the middle of an answer, which take their time, are left to that.
	Wrapped bool
	// Tools is set when the server can call tools; Choices when it can make several choices.
	Tools, Choices bool
	// OwnIDs is set when the server gives tool calls no ids, so that the adapter makes them.
	OwnIDs bool
	// Cached and Reasoning are set when the server counts these tokens.
	Cached, Reasoning bool

	// Error writes the body of an error that comes with a status of its own and says message.
	Error func(message string) string
	// InAnswer writes the body of an error inside an answer of status 200; nil where the protocol has none.
	InAnswer func(message string) string
	// InStream writes the piece of a stream that is an error; nil where the protocol has none.
	InStream func(message string) string
	// Errors are answers with a status of their own and what is to be made of them, for plain calls and streams.
	Errors []Failing
	// AnswerErrors are bodies of status 200 that are errors, or no answers at all; StreamErrors are streams.
	AnswerErrors, StreamErrors []Failing

	// Refuses are requests which the server cannot honour, as JSON of our side, by the name of the field that the error has to name.
	// Where messages are left out, there is one of the user's.
	Refuses map[string]string
}

// Failing is an answer that is a failure.
type Failing struct {
	Name string
	// Status is 200 where it is left out.
	Status int
	Body   string
	// Header lines are "Name: value". The media type is JSON, or that of streams, unless one of them is Content-Type.
	Header []string

	// Class, Code and Retryable are what is to be made of it.
	Class     llm.Class
	Code      events.Code
	Retryable bool
	// RetryAfter is how long the caller is asked to wait, to the second; 0 is not at all.
	RetryAfter time.Duration
	// Says has to be part of the error's text; it may be empty.
	Says string
}

// Reply is what a server shall say, in nobody's words.
type Reply struct {
	// Said are the choices, by index; most servers can say one only.
	Said  []Said
	Usage Usage
}

// Said is one choice.
type Said struct {
	// Text may be empty: there is no text then, which most protocols write as null or as an empty list.
	Text  string
	Calls []Called
	// Finish is one of the server's own words, as in [Dialect.Finishes].
	Finish string
}

// Called is one tool call. Arguments is the text of a JSON object.
type Called struct{ ID, Name, Arguments string }

// Usage counts tokens as we do: Prompt includes Cached, Completion includes Reasoning.
type Usage struct{ Prompt, Cached, Completion, Reasoning int }

// maxPiece is the longest piece that [Cut] makes, in bytes.
const maxPiece = 64 << 10

// Cut cuts a text into the pieces in which a model would stream it. Joined they are the text; of an empty one there is none.
func Cut(text string) []string {
	var pieces []string
	for _, word := range strings.SplitAfter(text, " ") {
		for len(word) > maxPiece {
			pieces, word = append(pieces, word[:maxPiece]), word[maxPiece:]
		}
		if word != "" {
			pieces = append(pieces, word)
		}
	}
	return pieces
}

// streamType is the media type of streams.
func (d *Dialect) streamType() string {
	if d.StreamType == "" {
		return "text/event-stream"
	}
	return d.StreamType
}

// preface is what a stream may begin with.
func (d *Dialect) preface() string {
	if d.Preface == "" {
		return ": wait\n\n"
	}
	return d.Preface
}

// word is the server's word for one of our finish reasons.
func (d *Dialect) word(ours string) string {
	found := ""
	for theirs, means := range d.Finishes {
		if means == ours && (found == "" || theirs < found) {
			found = theirs
		}
	}
	if found == "" && ours != events.FinishStop {
		return d.word(events.FinishStop)
	}
	return found
}

// text is a reply of one choice that says a text.
func (d *Dialect) text(text string) Reply {
	r := Reply{Said: []Said{{Text: text, Finish: d.word(events.FinishStop)}}, Usage: Usage{Prompt: 21, Completion: 9}}
	if d.Cached {
		r.Usage.Cached = 8
	}
	if d.Reasoning {
		r.Usage.Reasoning = 4
	}
	return r
}

// calls is a reply of one choice that calls tools.
func (d *Dialect) calls(text string, calls ...Called) Reply {
	r := d.text(text)
	r.Said[0].Calls, r.Said[0].Finish = calls, d.word(events.FinishToolCalls)
	return r
}
