package declared

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Change is one field that differs. What is not there before or after is nil.
type Change struct {
	// Field is its name, with dots for what stands within another: rate_limit.burst.
	Field string          `json:"field"`
	From  json.RawMessage `json:"from,omitempty"`
	To    json.RawMessage `json:"to,omitempty"`
}

// Diff returns the fields in which two specifications differ, by name.
func Diff(was, is events.EndpointSpec) ([]Change, error) {
	before, err := object(was)
	if err != nil {
		return nil, err
	}
	after, err := object(is)
	if err != nil {
		return nil, err
	}
	return compare("", before, after), nil
}

// object takes a specification apart.
func object(spec events.EndpointSpec) (map[string]json.RawMessage, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(spec); err != nil {
		return nil, fmt.Errorf("writing an endpoint: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text.Bytes(), &fields); err != nil {
		return nil, fmt.Errorf("reading an endpoint: %w", err)
	}
	return fields, nil
}

func compare(path string, before, after map[string]json.RawMessage) []Change {
	names := maps.Clone(before)
	if names == nil {
		names = make(map[string]json.RawMessage)
	}
	maps.Copy(names, after)
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(names)) {
		from, to := before[name], after[name]
		if bytes.Equal(from, to) {
			continue
		}
		var inner, outer map[string]json.RawMessage
		inFrom, inTo := json.Unmarshal(from, &inner) == nil, json.Unmarshal(to, &outer) == nil
		if (inFrom || from == nil) && (inTo || to == nil) && (inFrom || inTo) {
			changes = append(changes, compare(join(path, name), inner, outer)...)
			continue
		}
		changes = append(changes, Change{Field: join(path, name), From: from, To: to})
	}
	return changes
}
