package vectorfile

import (
	"encoding/json"
	"os"
	"strconv"
)

// jsonLines is the layout of JSON lines.
type jsonLines struct{}

// begin implements layout.
func (jsonLines) begin() int64 { return 0 }

// row implements layout.
func (jsonLines) row(b []byte, index int, r Row, _ *State) ([]byte, error) {
	b = strconv.AppendInt(append(b, `{"index":`...), int64(index), 10)
	if r.ID != nil {
		b = append(append(b, `,"id":`...), r.ID...)
	}
	if r.Error != nil {
		text, err := json.Marshal(r.Error)
		if err != nil {
			return nil, err
		}
		return append(append(append(b, `,"error":`...), text...), "}\n"...), nil
	}
	b = append(b, `,"embedding":[`...)
	for i, v := range r.Vector {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(v), 'g', -1, 32)
	}
	b = append(b, ']')
	if r.Truncated != nil {
		text, err := json.Marshal(r.Truncated)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"truncated":`...), text...)
	}
	return append(b, "}\n"...), nil
}

// whole implements layout: it is whole as it is.
func (jsonLines) whole(part *os.File, _ *State) (string, error) { return part.Name(), nil }
