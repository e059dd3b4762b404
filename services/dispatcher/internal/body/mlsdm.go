package body

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// pythonSource is the source that the Python client gives an event that names none.
const pythonSource = "mlsdm"

// mlsdm renders the body as the Python client does, byte for byte: json.dumps(asdict(event)) of its dataclass
//
//	class WebhookEvent:
//	    event_type: str
//	    timestamp: float        # seconds since 1970
//	    data: Dict[str, Any]
//	    source: str = "mlsdm"
//	    event_id: Optional[str] = None
//
// Its receivers read data as an object: what is none stands in one, as {"value": …}, or {"value_base64": …} when it is
// neither JSON nor text; no data is an empty one. The data's own JSON stands as the publisher wrote it.
func mlsdm(ev events.Event) ([]byte, error) {
	kind, err := KindOf(ev.DataContentType)
	if err != nil {
		return nil, err
	}
	source := ev.Source
	if source == "" {
		source = pythonSource
	}
	b := make([]byte, 0, frame+len(ev.Type)+len(source)+len(ev.ID)+encodedLen(kind, ev.Data))
	b = append(b, `{"event_type": `...)
	b = appendASCII(b, ev.Type)
	b = append(b, `, "timestamp": `...)
	b = appendFloat(b, seconds(ev.Time))
	b = append(b, `, "data": `...)
	b = appendObject(b, kind, ev.Data)
	b = append(b, `, "source": `...)
	b = appendASCII(b, source)
	b = append(b, `, "event_id": `...)
	if ev.ID == "" {
		b = append(b, "null"...)
	} else {
		b = appendASCII(b, ev.ID)
	}
	return append(b, '}'), nil
}

// appendObject appends data as a JSON object.
func appendObject(b []byte, kind Kind, data []byte) []byte {
	switch {
	case len(data) == 0:
		return append(b, "{}"...)
	case kind == Text:
		b = append(b, `{"value": `...)
		return append(appendASCII(b, string(data)), '}')
	case kind == Bytes:
		b = append(b, `{"value_base64": "`...)
		b = base64.StdEncoding.AppendEncode(b, data)
		return append(b, `"}`...)
	}
	data = bytes.TrimSpace(data)
	switch {
	case bytes.Equal(data, []byte("null")):
		return append(b, "{}"...)
	case len(data) > 0 && data[0] == '{':
		return append(b, data...)
	default:
		b = append(b, `{"value": `...)
		return append(append(b, data...), '}')
	}
}

// seconds returns t as Python's datetime.timestamp does, to the microsecond.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// appendFloat appends a finite number as Python's repr writes a float: the fewest digits that read back as the same
// number, always with a point or an exponent, and an exponent only below 1e-4 and from 1e16.
func appendFloat(b []byte, x float64) []byte {
	if size := math.Abs(x); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.AppendFloat(b, x, 'e', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, x, 'f', -1, 64)
	if bytes.IndexByte(b[start:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b
}
