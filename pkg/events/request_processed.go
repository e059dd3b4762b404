package events

import (
	"math"
	"time"
)

// Doors through which a request comes.
const (
	DoorInteractive = "interactive"
	DoorDurable     = "durable"
)

// Outcomes of a request.
const (
	OutcomeOK    = "ok"
	OutcomeError = "error"
)

// RequestProcessed says that an embed or generate request ended. It holds no prompt and no answer.
type RequestProcessed struct {
	// RequestID is the durable request's id, or one made for the interactive request.
	RequestID string `json:"request_id" jsonschema:"minLength=1"`
	// Caller is who asked.
	Caller string `json:"caller" jsonschema:"minLength=1"`
	// Kind is "embed" or "generate".
	Kind string `json:"kind" jsonschema:"enum=embed,enum=generate"`
	// Door is "interactive" or "durable".
	Door string `json:"door" jsonschema:"enum=interactive,enum=durable"`
	// Model is what was asked for, as "provider/model"; empty when the request could not be read.
	Model string `json:"model,omitempty"`
	// Outcome is "ok" or "error".
	Outcome string `json:"outcome" jsonschema:"enum=ok,enum=error"`
	// Code is the error's code; empty when Outcome is "ok".
	Code Code `json:"code,omitempty"`
	// LatencyMS is the time from arrival to reply, in milliseconds, 0 or more.
	LatencyMS float64 `json:"latency_ms" jsonschema:"minimum=0,maximum=3162240000000"`
	// Stream says whether the answer was streamed.
	Stream bool `json:"stream,omitempty"`
	// Inputs is the number of texts of an embed request.
	Inputs int `json:"inputs,omitempty" jsonschema:"minimum=0"`
	// CachedInputs is how many of them were answered from the cache.
	CachedInputs int `json:"cached_inputs,omitempty" jsonschema:"minimum=0"`
	// PromptTokens, CompletionTokens and TotalTokens are the provider's counts; 0 when unknown.
	PromptTokens     int `json:"prompt_tokens,omitempty" jsonschema:"minimum=0"`
	CompletionTokens int `json:"completion_tokens,omitempty" jsonschema:"minimum=0"`
	TotalTokens      int `json:"total_tokens,omitempty" jsonschema:"minimum=0"`
	// AnsweredBy is the model that answered, as "provider/model": another than Model where that is an alias or was replaced.
	AnsweredBy string `json:"answered_by,omitempty"`
	// Attempts is how many requests to providers it took; 0 when none was made.
	Attempts int `json:"attempts,omitempty" jsonschema:"minimum=0"`
	// FirstTokenMS is the time from arrival to the first output, in milliseconds; only of streams.
	FirstTokenMS float64 `json:"first_token_ms,omitempty" jsonschema:"minimum=0,maximum=3162240000000"`
	// FinishReason is that of the first choice.
	FinishReason string `json:"finish_reason,omitempty"`
	// Cached says that the whole answer came out of the cache.
	Cached bool `json:"cached,omitempty"`
	// Cost is what it cost, in the currency of the price table whose version is PriceVersion; Unpriced says that the table
	// has no price for the model, so that nothing was counted.
	Cost         float64 `json:"cost,omitempty" jsonschema:"minimum=0"`
	PriceVersion string  `json:"price_version,omitempty"`
	Unpriced     bool    `json:"unpriced,omitempty"`
}

// EventType returns "request.processed".
func (RequestProcessed) EventType() string { return TypeRequestProcessed }

// Validate implements [Payload].
func (p RequestProcessed) Validate() error {
	return firstError(required("request_id", p.RequestID), required("caller", p.Caller),
		oneOf("kind", p.Kind, RequestKinds()...), oneOf("door", p.Door, DoorInteractive, DoorDurable),
		oneOf("outcome", p.Outcome, OutcomeOK, OutcomeError), inRange("latency_ms", p.LatencyMS, 0, 1000*maxSeconds),
		atLeast("inputs", int64(p.Inputs), 0), atLeast("cached_inputs", int64(p.CachedInputs), 0),
		atLeast("prompt_tokens", int64(p.PromptTokens), 0), atLeast("completion_tokens", int64(p.CompletionTokens), 0),
		atLeast("total_tokens", int64(p.TotalTokens), 0), atLeast("attempts", int64(p.Attempts), 0),
		inRange("first_token_ms", p.FirstTokenMS, 0, 1000*maxSeconds), inRange("cost", p.Cost, 0, math.MaxFloat64))
}

// AppendEvent appends the event that tells p, in the structured form, to b: what [New] and [Event.MarshalJSON] would write, in one
// pass, since there is one for each request. ev has the attributes ID, Source, Time, TraceParent and TraceState; it gets those that
// follow from the type. Errors are those of New, and one when the event is larger than [MaxBody]; nothing is appended then.
func (p *RequestProcessed) AppendEvent(b []byte, ev *Event) ([]byte, error) {
	ev.Type, ev.DataContentType = TypeRequestProcessed, ContentTypeJSON
	ev.DataSchema = "urn:mlsdm:schema:" + SchemaVersion + ":" + TypeRequestProcessed
	if err := p.Validate(); err != nil {
		return b, err
	}
	if err := ev.checkAttributes(); err != nil {
		return b, err
	}
	begin := len(b)
	b = append(b, `{"specversion":"`+SpecVersion+`"`...)
	b = appendText(b, "id", ev.ID)
	b = appendText(b, "source", ev.Source)
	b = appendText(b, "type", ev.Type)
	if !ev.Time.IsZero() {
		b = append(ev.Time.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano), '"')
	}
	b = appendText(b, "datacontenttype", ev.DataContentType)
	b = appendText(b, "dataschema", ev.DataSchema)
	b = appendText(b, "traceparent", ev.TraceParent)
	b = appendText(b, "tracestate", ev.TraceState)
	b = append(p.appendJSON(append(b, `,"data":`...)), '}')
	if size := len(b) - begin; size > MaxBody {
		return b[:begin], Errorf(CodeInvalidArgument, "the event has %d bytes; at most %d are allowed", size, MaxBody)
	}
	return b, nil
}

// appendJSON appends what [json.Marshal] writes, but for < > &, which stay as they are.
func (p *RequestProcessed) appendJSON(b []byte) []byte {
	b = appendMember(append(b, '{'), "request_id", p.RequestID)
	b = appendMember(append(b, ','), "caller", p.Caller)
	b = appendMember(append(b, ','), "kind", p.Kind)
	b = appendMember(append(b, ','), "door", p.Door)
	b = appendText(b, "model", p.Model)
	b = appendMember(append(b, ','), "outcome", p.Outcome)
	b = appendText(b, "code", string(p.Code))
	b = appendFloat(append(b, `,"latency_ms":`...), p.LatencyMS)
	b = appendTrue(b, "stream", p.Stream)
	for _, n := range [...]struct {
		name  string
		value int
	}{
		{"inputs", p.Inputs},
		{"cached_inputs", p.CachedInputs},
		{"prompt_tokens", p.PromptTokens},
		{"completion_tokens", p.CompletionTokens},
		{"total_tokens", p.TotalTokens},
	} {
		b = appendCount(b, n.name, n.value)
	}
	b = appendText(b, "answered_by", p.AnsweredBy)
	b = appendCount(b, "attempts", p.Attempts)
	if p.FirstTokenMS != 0 {
		b = appendFloat(append(b, `,"first_token_ms":`...), p.FirstTokenMS)
	}
	b = appendText(b, "finish_reason", p.FinishReason)
	b = appendTrue(b, "cached", p.Cached)
	if p.Cost != 0 {
		b = appendFloat(append(b, `,"cost":`...), p.Cost)
	}
	b = appendText(b, "price_version", p.PriceVersion)
	return append(appendTrue(b, "unpriced", p.Unpriced), '}')
}
