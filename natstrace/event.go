package natstrace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// What is read of an event, which may come from anybody who may publish where the server does.
const (
	maxSteps = 64  // of any kind; of the others, as many again of those that lead to another server
	maxText  = 256 // bytes of a name or an error
	maxHops  = 64  // bytes of a hop's number, as in "1.2.1"
	maxValue = 512 // bytes of a header's value: the longest tracestate
)

// event is what a server says about one message: server.MsgTraceEvent of nats-server, in so far as it is used.
type event struct {
	Server struct {
		Name    string `json:"name"`
		ID      string `json:"id"`
		Cluster string `json:"cluster"`
		Version string `json:"ver"`
	} `json:"server"`
	Request struct {
		Header header `json:"header"`
		Size   int    `json:"msgsize"`
	} `json:"request"`
	Hops  int   `json:"hops"`
	Steps steps `json:"events"`
}

// step is one thing that happened to the message. Which fields there are depends on the type.
type step struct {
	Type       string    `json:"type"`
	Time       time.Time `json:"ts"`
	Kind       int       `json:"kind"`
	CID        uint64    `json:"cid"`
	Name       string    `json:"name"`
	Account    string    `json:"acc"`
	Subject    string    `json:"subj"`    // ingress
	Hop        string    `json:"hop"`     // egress
	Queue      string    `json:"queue"`   // egress
	To         string    `json:"to"`      // mapping, import and export
	Stream     string    `json:"stream"`  // stream
	Stored     string    `json:"subject"` // stream
	NoInterest bool      `json:"nointerest"`
	Error      string    `json:"error"`
}

// Types of steps.
const (
	typeIngress = "in"
	typeMapping = "sm"
	typeExport  = "se"
	typeImport  = "si"
	typeStream  = "js"
	typeEgress  = "eg"
)

// header holds the headers that are used, by their names in lower case. Whoever publishes writes them as they like.
type header map[string]string

// Names of headers, in lower case.
const (
	headerParent = "traceparent"
	headerState  = "tracestate"
	headerHop    = "nats-trace-hop"
	headerID     = "nats-msg-id"
)

// UnmarshalJSON keeps the headers that are used. Of several sampled parents the first counts, as it does for the server.
func (h *header) UnmarshalJSON(data []byte) error {
	*h = header{}
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		text, ok := name.(string)
		if !ok {
			return fmt.Errorf("a header's name is %v", name)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if lower := strings.ToLower(text); isUsed(lower) {
			if err := h.add(lower, raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// isUsed reports whether a header matters.
func isUsed(lower string) bool {
	return lower == headerParent || lower == headerState || lower == headerHop || lower == headerID
}

// add takes the values of a header.
func (h header) add(lower string, raw json.RawMessage) error {
	var values []string
	if err := json.Unmarshal(raw, &values); err != nil {
		return err
	}
	for _, value := range values {
		if had := h[lower]; had == "" || lower == headerParent && !isSampled(had) {
			h[lower] = cut(value, maxValue)
		}
	}
	return nil
}

// isSampled reports whether a traceparent has the flag by which the server traces a message.
func isSampled(parent string) bool {
	if len(parent) < 2 {
		return false
	}
	last := parent[len(parent)-1]
	return strings.IndexByte("13579bBdDfF", last) >= 0
}

// steps are what happened: the first few, those that lead to other servers, and how many receivers there were in all.
type steps struct {
	few    []step
	egress int
}

// UnmarshalJSON keeps some steps, and counts the others.
func (s *steps) UnmarshalJSON(data []byte) error {
	*s = steps{}
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('[') {
		return err
	}
	for d.More() {
		var one step
		if err := d.Decode(&one); err != nil {
			return err
		}
		if one.Type == typeEgress {
			s.egress++
		}
		if len(s.few) < maxSteps || one.Hop != "" && len(s.few) < 2*maxSteps {
			s.few = append(s.few, one)
		}
	}
	return nil
}

// parse reads an event and checks what the rest relies on.
func parse(data []byte) (*event, error) {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(e.Steps.few) == 0 || e.Steps.few[0].Type != typeIngress {
		return nil, fmt.Errorf("%w: it does not say how the message came in", ErrInvalid)
	}
	start := e.Steps.few[0].Time
	if year := start.Year(); year < 2000 || year > 2200 { // what fits into the nanoseconds of a span
		return nil, fmt.Errorf("%w: the message came in in the year %d", ErrInvalid, year)
	}
	for _, text := range []*string{&e.Server.Name, &e.Server.ID, &e.Server.Cluster, &e.Server.Version} {
		*text = cut(*text, maxText)
	}
	for i := range e.Steps.few {
		one := &e.Steps.few[i]
		for _, text := range []*string{&one.Name, &one.Account, &one.Subject, &one.Queue, &one.To, &one.Stream, &one.Stored, &one.Error} {
			*text = cut(*text, maxText)
		}
		one.Hop = cut(one.Hop, maxHops)
		if one.Time.Before(start) || one.Time.Sub(start) > longest {
			one.Time = start // a clock that was set meanwhile, or a lie
		}
	}
	return &e, nil
}

// cut returns text, or as much of it as fits.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return strings.Clone(text[:limit]) // so that the whole is not kept
}

// ingress is how the message came in.
func (e *event) ingress() step { return e.Steps.few[0] }

// hop is the number under which another server sent the message here; empty if it came from its publisher.
func (e *event) hop() string {
	if e.ingress().Kind == kindClient {
		return "" // who publishes may write anything
	}
	return cut(e.Request.Header[headerHop], maxHops)
}

// message tells a message from others, as well as can be: two of the same span without an id look the same.
func (e *event) message() string {
	return e.Request.Header[headerParent] + " " + e.Request.Header[headerID]
}

// end is when the last thing happened that is known.
func (e *event) end() time.Time {
	end := e.ingress().Time
	for _, one := range e.Steps.few {
		if one.Time.After(end) {
			end = one.Time
		}
	}
	return end
}
