package attemptlog

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of one record.
const (
	maxResponse = 4 << 10  // bytes of the answer; that they may take six times as many as JSON is part of maxRecord
	maxError    = 1 << 10  // bytes of the error's text
	maxRecord   = 48 << 10 // bytes of JSON
)

// appendBounded appends a record as JSON, with the headers that were sent as its Request. Texts that are too long are cut; a record that is too large all the same is
// written without the headers and the answer.
func appendBounded(dst []byte, r *events.DeliveryAttempt, sent []egress.Field) []byte {
	bounded := *r
	bounded.Response, bounded.Error = clip(r.Response, maxResponse), clip(r.Error, maxError)
	dst = appendRecord(dst, &bounded, sent)
	if len(dst) > maxRecord {
		bounded.Response = ""
		dst = appendRecord(dst[:0], &bounded, nil)
	}
	return dst
}

// clip cuts a text to at most limit bytes, between two characters.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// appendRecord appends a record as JSON that reads the same as what encoding/json writes, at a tenth of its cost. What
// encoding/json refuses (a number that is none, a time outside of the years 0 to 9999) is written as zero.
func appendRecord(dst []byte, r *events.DeliveryAttempt, sent []egress.Field) []byte {
	dst = append(dst, `{"delivery_id":`...)
	dst = appendString(dst, r.DeliveryID)
	dst = append(dst, `,"endpoint_id":`...)
	dst = appendString(dst, r.EndpointID)
	dst = append(dst, `,"event_id":`...)
	dst = appendString(dst, r.EventID)
	dst = append(dst, `,"event_type":`...)
	dst = appendString(dst, r.EventType)
	dst = append(dst, `,"attempt":`...)
	dst = strconv.AppendInt(dst, int64(r.Attempt), 10)
	dst = append(dst, `,"at":`...)
	dst = appendTime(dst, r.At)
	dst = append(dst, `,"latency_ms":`...)
	dst = appendFloat(dst, r.LatencyMS)
	if r.Status != 0 {
		dst = append(dst, `,"status":`...)
		dst = strconv.AppendInt(dst, int64(r.Status), 10)
	}
	dst = append(dst, `,"outcome":`...)
	dst = appendString(dst, r.Outcome)
	dst = appendMember(dst, `,"error":`, r.Error)
	dst = appendMember(dst, `,"error_class":`, r.ErrorClass)
	dst = appendMember(dst, `,"fault":`, r.Fault)
	if len(sent) > 0 {
		dst = append(dst, `,"request":`...)
		dst = appendFields(dst, sent)
	}
	if r.Timing != nil {
		dst = append(dst, `,"timing":`...)
		dst = appendTiming(dst, r.Timing)
	}
	dst = appendMember(dst, `,"response":`, r.Response)
	if !r.NextAt.IsZero() {
		dst = append(dst, `,"next_at":`...)
		dst = appendTime(dst, r.NextAt)
	}
	dst = appendMember(dst, `,"replay_id":`, r.ReplayID)
	return append(dst, '}')
}

// appendTiming appends the parts of the latency that there were.
func appendTiming(dst []byte, t *events.AttemptTiming) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for _, part := range [...]struct {
		name string
		ms   float64
	}{
		{`,"dns_ms":`, t.DNSMS}, {`,"connect_ms":`, t.ConnectMS}, {`,"tls_ms":`, t.TLSMS}, {`,"first_byte_ms":`, t.FirstByteMS},
	} {
		if part.ms == 0 {
			continue
		}
		name := part.name
		if len(dst) == start {
			name = name[1:] // without the comma
		}
		dst = append(dst, name...)
		dst = appendFloat(dst, part.ms)
	}
	return append(dst, '}')
}

// appendFields appends headers, each of which is there once, as an object.
func appendFields(dst []byte, fields []egress.Field) []byte {
	separator := byte('{')
	for _, f := range fields {
		dst = append(dst, separator)
		dst = appendString(dst, f.Name)
		dst = append(dst, ':')
		dst = appendString(dst, f.Value)
		separator = ','
	}
	return append(dst, '}')
}

// appendMember appends a text with its name, unless it is empty.
func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(append(dst, name...), value)
}

func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, '0')
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		t = time.Time{}
	}
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}

// appendString appends a JSON string. Bytes that are no UTF-8 become U+FFFD, as encoding/json has it.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), `\ufffd`...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
