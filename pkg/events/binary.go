package events

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
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
		d.DataContentType, d.Data, d.dataChecked, d.dataShared = guessed.DataContentType, guessed.Data, true, guessed.dataShared
		return d, nil
	}
	d.Data, d.dataShared = body, true
	return d, nil
}

// compareFold orders names without regard to case.
func compareFold(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }

// ParseBinary reads an event in binary mode: its attributes from ce- headers, its data from the body. Errors are an [Error]
// of code invalid_argument.
func ParseBinary(header map[string][]string, body []byte) (Event, error) {
	if len(body) > MaxBody {
		return Event{}, Errorf(CodeInvalidArgument, "the body has %d bytes; at most %d are allowed", len(body), MaxBody)
	}
	d, err := parseBinary(header, HeaderValue(header, HeaderContentType), body)
	if err != nil {
		return Event{}, err
	}
	return d.keep().finish()
}

// SetBinary adds to header what makes the event's Data, as a body, the event in binary mode. It returns false, and adds
// nothing, for an event that would not be the same when it is read again: whose extensions are not all texts, or whose data has
// no content type.
func (ev Event) SetBinary(header map[string][]string) bool {
	if ev.DataContentType == "" && len(ev.Data) > 0 {
		return false
	}
	for _, value := range ev.Extensions {
		if _, ok := value.(string); !ok {
			return false
		}
	}
	values := make([]string, 0, usualMembers) // one array for all
	set := func(name, value string) {
		values = append(values, value)
		header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	const prefix = HeaderCloudEventPrefix
	set(prefix+"specversion", SpecVersion)
	set(prefix+"id", escapeAttribute(ev.ID))
	set(prefix+"source", escapeAttribute(ev.Source))
	set(prefix+"type", escapeAttribute(ev.Type))
	set(prefix+"time", ev.Time.UTC().Format(time.RFC3339Nano))
	for _, optional := range [...]struct{ name, value string }{
		{HeaderContentType, ev.DataContentType},
		{prefix + "subject", escapeAttribute(ev.Subject)},
		{prefix + "dataschema", escapeAttribute(ev.DataSchema)},
		{prefix + "traceparent", escapeAttribute(ev.TraceParent)},
		{prefix + "tracestate", escapeAttribute(ev.TraceState)},
	} {
		if optional.value != "" {
			set(optional.name, optional.value)
		}
	}
	for name, value := range ev.Extensions {
		text, _ := value.(string)
		set(prefix+name, escapeAttribute(text))
	}
	return true
}

// escapeAttribute percent-encodes what may not stand in a header: space, quote, percent and all that is not printable ASCII
// (section 3.1.3.2 of the HTTP protocol binding, which that of NATS follows).
func escapeAttribute(value string) string {
	const digits = "0123456789ABCDEF"
	for i := range len(value) {
		if !mustEscape(value[i]) {
			continue
		}
		escaped := []byte(value[:i])
		for j := i; j < len(value); j++ {
			if c := value[j]; mustEscape(c) {
				escaped = append(escaped, '%', digits[c>>4], digits[c&15])
			} else {
				escaped = append(escaped, c)
			}
		}
		return string(escaped)
	}
	return value
}

func mustEscape(c byte) bool { return c <= ' ' || c > '~' || c == '"' || c == '%' }
