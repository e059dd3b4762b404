package registry

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// patched returns the specification that a request for a change asks for.
func patched(old events.EndpointSpec, req events.EndpointUpdateRequest) (events.EndpointSpec, error) {
	var next events.EndpointSpec
	if err := events.CheckJSON(req.Endpoint); err != nil {
		return next, within("endpoint", err)
	}
	if !isObject(req.Endpoint) {
		return next, events.Errorf(events.CodeInvalidArgument, "endpoint must be an object that holds the fields to change")
	}
	// The patch is read by itself first: what it misspells would otherwise stand beside what it means.
	if err := Decode(req.Endpoint, &next); err != nil {
		return next, within("endpoint", err)
	}
	if next.ID != "" && next.ID != old.ID {
		return next, events.Errorf(events.CodeInvalidArgument, "endpoint.id is not the id of the request; an id cannot be changed: create another endpoint and delete this one")
	}
	if !req.Replace {
		was, err := json.Marshal(old)
		if err != nil {
			return next, fmt.Errorf("writing the endpoint as it is: %w", err)
		}
		merged, err := mergePatch(was, req.Endpoint)
		if err != nil {
			return next, err
		}
		next = events.EndpointSpec{}
		if err := Decode(merged, &next); err != nil {
			return next, within("endpoint", err)
		}
	}
	next.ID = old.ID
	return next, nil
}

// asksToEnable reports whether a change says in so many words that the endpoint is to take webhooks.
func asksToEnable(patch json.RawMessage) bool {
	var says struct {
		Disabled *bool `json:"disabled"`
	}
	return json.Unmarshal(patch, &says) == nil && says.Disabled != nil && !*says.Disabled
}

// onlyEnables reports whether a change says that and nothing else.
func onlyEnables(patch json.RawMessage) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(patch, &fields) == nil && len(fields) == 1 && asksToEnable(patch)
}

// mergePatch applies a JSON Merge Patch (RFC 7396) to a value. Both are JSON of limited depth.
func mergePatch(value, patch json.RawMessage) (json.RawMessage, error) {
	if !isObject(patch) {
		return patch, nil
	}
	fields, changes := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if isObject(value) {
		if err := json.Unmarshal(value, &fields); err != nil {
			return nil, fmt.Errorf("reading the value to be changed: %w", err)
		}
	}
	if err := json.Unmarshal(patch, &changes); err != nil {
		return nil, fmt.Errorf("reading the change: %w", err)
	}
	for name, change := range changes {
		if bytes.Equal(bytes.TrimSpace(change), []byte("null")) {
			delete(fields, name)
			continue
		}
		merged, err := mergePatch(fields[name], change)
		if err != nil {
			return nil, err
		}
		fields[name] = merged
	}
	return json.Marshal(fields)
}

// isObject reports whether a JSON value is an object.
func isObject(value json.RawMessage) bool {
	value = bytes.TrimSpace(value)
	return len(value) > 0 && value[0] == '{'
}

// differences names the fields in which two specifications differ, in alphabetical order.
func differences(old, next events.EndpointSpec) ([]string, error) {
	if slices.Equal(effective(old.Signing), effective(next.Signing)) {
		old.Signing, next.Signing = nil, nil
	}
	if sameOrdering(old, next) {
		old.Ordering, next.Ordering = "", ""
	}
	was, err := fieldsOf(old)
	if err != nil {
		return nil, err
	}
	is, err := fieldsOf(next)
	if err != nil {
		return nil, err
	}
	var names []string
	for name, value := range is {
		if !bytes.Equal(value, was[name]) {
			names = append(names, name)
		}
	}
	for name := range was {
		if _, ok := is[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// fieldsOf takes a specification apart.
func fieldsOf(spec events.EndpointSpec) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("writing an endpoint: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("reading an endpoint: %w", err)
	}
	return fields, nil
}

// sameOrdering reports whether two specifications have the same ordering.
func sameOrdering(a, b events.EndpointSpec) bool {
	return cmp.Or(a.Ordering, events.OrderingNone) == cmp.Or(b.Ordering, events.OrderingNone)
}
