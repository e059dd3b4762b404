package events

import (
	"bytes"
	"net/url"
)

// TraceContext returns the W3C Trace Context that a message carries, as it is written there, or empty texts: that of its headers,
// whatever the case of their names, which is the nearest cause; without them the attributes of the CloudEvent that the message is,
// in binary form or in structured form. A body that may be none is not looked into, nor is one of nil. What it returns is the
// publisher's text and not checked.
func TraceContext(header map[string][]string, body []byte) (parent, state string) {
	if parent = HeaderValue(header, HeaderTraceParent); parent != "" {
		return parent, HeaderValue(header, HeaderTraceState)
	}
	if parent = HeaderValue(header, HeaderCloudEventPrefix+HeaderTraceParent); parent != "" {
		return unescapeAttribute(parent), unescapeAttribute(HeaderValue(header, HeaderCloudEventPrefix+HeaderTraceState))
	}
	switch HeaderValue(header, HeaderContentType) {
	case "", ContentTypeCloudEvent, ContentTypeCloudEvent + "; charset=utf-8", ContentTypeCloudEvent + "; charset=UTF-8":
	default:
		return "", ""
	}
	if len(body) > MaxStructured || !bytes.Contains(body, []byte(`"`+HeaderTraceParent+`"`)) || !mayHoldSpecVersion(body) {
		return "", ""
	}
	var room [usualMembers]member
	members, ok := scanObject(room[:0], body, maxEventDepth)
	if !ok || isNull(members.get("specversion")) {
		return "", ""
	}
	if parent = textMember(members.get(HeaderTraceParent)); parent == "" {
		return "", ""
	}
	return parent, textMember(members.get(HeaderTraceState))
}

// textMember returns a member that is a text, and nothing for any other.
func textMember(raw []byte) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	text, err := stringMember("", raw)
	if err != nil {
		return ""
	}
	return text
}

// unescapeAttribute undoes percent-encoding, where there is any.
func unescapeAttribute(value string) string {
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}
