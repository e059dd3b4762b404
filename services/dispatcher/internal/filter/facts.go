package filter

import (
	"encoding/json"
	"sync"
	"sync/atomic"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/body"
)

// Facts is one event as filters see it. Its data is decoded at most once, when the first filter asks for it, and shared
// among all of them. It is safe for concurrent use.
type Facts struct {
	ev          events.Event
	once        sync.Once
	data        ref.Val // nil when it cannot be read
	unevaluated atomic.Int64
}

// NewFacts returns the facts of an event, which must not be changed any more.
func NewFacts(ev events.Event) *Facts { return &Facts{ev: ev} }

// Type returns the type of the event.
func (f *Facts) Type() string { return f.ev.Type }

// Event returns the event.
func (f *Facts) Event() events.Event { return f.ev }

// Unevaluated returns how many filters could not be evaluated on this event, see [Filter.Match].
func (f *Facts) Unevaluated() int { return int(f.unevaluated.Load()) }

// Endpoint returns the endpoint that an event of the dispatcher tells of; it is empty for other events.
func (f *Facts) Endpoint() string {
	data, _ := f.value()
	members, ok := data.(traits.Mapper)
	if !ok { // not one of ours, so about no endpoint
		return ""
	}
	id, _ := members.Find(types.String("endpoint_id"))
	text, ok := id.(types.String)
	if !ok {
		return ""
	}
	return string(text)
}

// value returns the data as a value of CEL.
func (f *Facts) value() (ref.Val, bool) {
	f.once.Do(func() { f.data = decode(f.ev) })
	return f.data, f.data != nil
}

func decode(ev events.Event) ref.Val {
	if len(ev.Data) == 0 {
		return types.NullValue
	}
	kind, err := body.KindOf(ev.DataContentType)
	switch {
	case err != nil: // no event that was read from the bus is like that
		return nil
	case kind == body.Text:
		return types.String(ev.Data)
	case kind == body.Bytes:
		return types.Bytes(ev.Data)
	}
	var data any
	if json.Unmarshal(ev.Data, &data) != nil { // neither
		return nil
	}
	return types.DefaultTypeAdapter.NativeToValue(data)
}
