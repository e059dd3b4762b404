package journey

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// traceID reads the trace id out of a traceparent (W3C Trace Context); empty when it is none.
func traceID(traceparent string) string {
	parts := strings.SplitN(strings.ToLower(strings.TrimSpace(traceparent)), "-", 4)
	if len(parts) < 4 || !isTraceID(parts[1]) {
		return ""
	}
	return parts[1]
}

// isTraceID reports whether text can be the id of a trace: 32 hexadecimal digits, not all zero.
func isTraceID(text string) bool {
	const digits = 32
	if len(text) != digits || strings.Trim(text, "0") == "" || text != strings.ToLower(text) {
		return false
	}
	_, err := hex.DecodeString(text)
	return err == nil
}

// traceOf is the trace that a message belongs to, by its header.
func traceOf(header map[string][]string) string {
	for _, name := range []string{events.HeaderTraceParent, events.HeaderCloudEventPrefix + events.HeaderTraceParent} {
		if id := traceID(events.HeaderValue(header, name)); id != "" {
			return id
		}
	}
	return ""
}

// madeAt reads the time out of a UUIDv7 (RFC 9562), which our own ids are.
func madeAt(id string) (time.Time, bool) {
	const (
		length, version = 36, 14
		millisBytes     = 6
	)
	if len(id) != length || id[version] != '7' || strings.Count(id, "-") != 4 {
		return time.Time{}, false
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(raw) < millisBytes {
		return time.Time{}, false
	}
	var millis int64
	for _, b := range raw[:millisBytes] {
		millis = millis<<8 | int64(b)
	}
	return time.UnixMilli(millis), true
}

// Normalize returns the id that is meant: of a traceparent its trace id, and trace ids in lower case.
func Normalize(query string) string {
	query = strings.TrimSpace(query)
	if id := traceID(query); id != "" {
		return id
	}
	if lower := strings.ToLower(query); isTraceID(lower) {
		return lower
	}
	return query
}
