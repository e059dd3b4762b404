package bus

import (
	"bytes"
	"encoding/json"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxControl bounds what a reader says about a stream, in bytes.
const maxControl = 512

// readControl reads what a reader says. Nearly all of it is {"received":64}, which is read without a JSON decoder.
func readControl(body []byte) (said events.StreamControl, ok bool) {
	if len(body) > maxControl {
		return said, false
	}
	if rest, found := bytes.CutPrefix(body, []byte(`{"received":`)); found {
		if digits, found := bytes.CutSuffix(rest, []byte(`}`)); found {
			if n, plain := parseNumber(string(digits)); plain {
				return events.StreamControl{Received: n}, true
			}
		}
	}
	return said, json.Unmarshal(body, &said) == nil
}
