package events

import (
	"bytes"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// hasAttributes reports whether a header holds CloudEvents attributes.
func hasAttributes(header map[string][]string) bool {
	for key := range header {
		if isAttribute(key) {
			return true
		}
	}
	return false
}

// isAttribute reports whether the header of this name is a CloudEvents attribute, in any case.
func isAttribute(key string) bool {
	return len(key) >= len(HeaderCloudEventPrefix) && strings.EqualFold(key[:len(HeaderCloudEventPrefix)], HeaderCloudEventPrefix)
}

// parseBinary reads the attributes from ce- headers, percent-decoded as the NATS protocol binding says
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/nats-protocol-binding.md), or as they are where
// they are not percent-encoded. The same attribute twice, in whatever case, is refused: readers would choose differently.
func parseBinary(header map[string][]string, contentType string, body []byte) (draft, error) {
	if HeaderValue(header, HeaderCloudEventPrefix+"specversion") == "" {
		return draft{}, Errorf(CodeInvalidArgument, "there are ce- headers, but no ce-specversion; it must be %q", SpecVersion)
	}
	d := draft{Event: Event{DataContentType: contentType}}
	seen := ""
	for _, key := range slices.SortedFunc(maps.Keys(header), compareFold) {
		values := header[key]
		if !isAttribute(key) || len(values) == 0 {
			continue
		}
		if len(values) > 1 || strings.EqualFold(key, seen) {
			return draft{}, Errorf(CodeInvalidArgument, "the header %s is there more than once", truncate(strings.ToLower(key), 80))
		}
		seen = key
		value, err := url.PathUnescape(values[0])
		if err != nil { // the official SDKs write values as they are, so "100%" may come
			value = values[0]
		}
		if err := d.setAttribute(strings.ToLower(key[len(HeaderCloudEventPrefix):]), value); err != nil {
			return draft{}, err
		}
	}
	if len(body) == 0 {
		return d, nil
	}
	if d.DataContentType == "" {
		guessed, _, err := guessData(body)
		if err != nil {
			return draft{}, err
		}
		d.DataContentType, d.Data, d.dataChecked = guessed.DataContentType, guessed.Data, true
		return d, nil
	}
	d.Data = bytes.Clone(body)
	return d, nil
}

// compareFold orders names without regard to case.
func compareFold(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }
