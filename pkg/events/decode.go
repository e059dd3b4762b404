package events

import (
	"bytes"
	"encoding/json"
	"mime"
	"strings"
	"time"
)

// BusSource is the source of an event whose publisher named none.
const BusSource = "/mlsdm/bus"

// Stored says where a stream keeps a message. It fills in the id and the time that a publisher left out.
type Stored struct {
	Stream   string
	Sequence uint64
	Time     time.Time
}

// FromMessage reads an event in any of the three forms that the contract accepts: a structured CloudEvent, a binary one
// (ce- headers), or bare data, whose type is given by the subject. Without a content type, a JSON object that has
// "specversion" is a whole event, other JSON is data, other UTF-8 is data of type text/plain. A type that contradicts the
// subject, and everything that [Event.Validate] refuses, is an [Error] of code invalid_argument.
func FromMessage(s Subjects, subject string, header map[string][]string, body []byte, stored Stored) (Event, error) {
	d, err := readMessage(s, subject, header, body, stored)
	if err != nil {
		return Event{}, err
	}
	return d.keep().finish()
}

// FromMessageShared is [FromMessage] for a body that nobody changes any more: the event's data may share its memory.
func FromMessageShared(s Subjects, subject string, header map[string][]string, body []byte, stored Stored) (Event, error) {
	d, err := readMessage(s, subject, header, body, stored)
	if err != nil {
		return Event{}, err
	}
	return d.finish()
}

// readMessage reads an event in any form and adds what it does not say itself.
func readMessage(s Subjects, subject string, header map[string][]string, body []byte, stored Stored) (draft, error) {
	subjectType, ok := s.EventType(subject)
	if !ok {
		return draft{}, Errorf(CodeInvalidArgument, "%q is not an event subject; events are published on %s", truncate(subject, 200), s.Event("<type>"))
	}
	if len(body) > MaxBody {
		return draft{}, Errorf(CodeInvalidArgument, "the body has %d bytes; at most %d are allowed", len(body), MaxBody)
	}
	d, err := readForm(header, body)
	if err != nil {
		return draft{}, err
	}
	if d.Type == "" || d.Source == "" {
		if err := checkBare(subjectType); err != nil {
			return draft{}, err
		}
	}
	if d.Type == "" {
		d.Type = subjectType
	}
	if d.Type != subjectType {
		return draft{}, Errorf(CodeInvalidArgument, "the event's type %q contradicts its subject, which says %q",
			truncate(d.Type, MaxTypeLength), truncate(subjectType, MaxTypeLength))
	}
	d.fillIn(header, stored)
	return d, checkSource(d.Source, d.Type)
}

// draft is an event that is being read.
type draft struct {
	Event
	// dataChecked is set when Data is known to be what DataContentType says, so that it is not read a second time.
	dataChecked bool
	// dataShared is set when Data is part of the body that was read.
	dataShared bool
}

// keep gives the event data of its own, so that the body may be used for something else.
func (d *draft) keep() *draft {
	if d.dataShared {
		d.Data, d.dataShared = bytes.Clone(d.Data), false
	}
	return d
}

// finish checks what reading the form did not.
func (d *draft) finish() (Event, error) {
	if err := d.checkAttributes(); err != nil {
		return Event{}, err
	}
	if len(d.Data) > MaxBody || !d.dataChecked {
		if err := d.checkData(); err != nil {
			return Event{}, err
		}
	}
	return d.Event, nil
}

// fillIn adds what the publisher left out.
func (d *draft) fillIn(header map[string][]string, stored Stored) {
	if d.ID == "" {
		d.ID = HeaderValue(header, HeaderMsgID)
	}
	if d.ID == "" {
		d.ID = StoredID(stored)
	}
	if d.Source == "" {
		d.Source = BusSource
	}
	if d.Time.IsZero() {
		d.Time = stored.Time.UTC()
	}
	if parent := HeaderValue(header, HeaderTraceParent); parent != "" && d.TraceParent == "" {
		d.TraceParent, d.TraceState = parent, HeaderValue(header, HeaderTraceState)
	}
}

// readForm tells the three forms apart.
func readForm(header map[string][]string, body []byte) (draft, error) {
	contentType := HeaderValue(header, HeaderContentType)
	var media string
	switch contentType {
	case "", ContentTypeCloudEvent, ContentTypeJSON: // what nearly all are
		media = contentType
	default:
		var err error
		if media, _, err = mime.ParseMediaType(contentType); err != nil {
			return draft{}, Errorf(CodeInvalidArgument, "the Content-Type %q is not a media type", truncate(contentType, 80))
		}
	}
	switch {
	case media == ContentTypeCloudEvent:
		return parseStructured(body)
	case strings.HasPrefix(media, "application/cloudevents"): // a batch, or another event format: not to be taken for data
		return draft{}, Errorf(CodeInvalidArgument, "events of type %q are not understood; send one event as %s", truncate(media, 80), ContentTypeCloudEvent)
	case hasAttributes(header):
		return parseBinary(header, contentType, body)
	case media != "":
		return draft{Event: Event{DataContentType: contentType, Data: body}, dataShared: true}, nil
	default:
		return guess(body)
	}
}

// guess reads a body that comes without a word about it.
func guess(body []byte) (draft, error) {
	d, members, err := guessData(body)
	if err != nil || isNull(members.get("specversion")) {
		return d, err
	}
	return fromMembers(members)
}

// guessData reads the same as mere data. If it is an object that may be an event, its members are returned too.
func guessData(body []byte) (draft, object, error) {
	switch {
	case len(body) == 0:
		return draft{dataChecked: true}, nil, nil
	case !validJSON(body, MaxDepth):
		return guessOther(body)
	}
	var members object
	if firstByte(body) == '{' && mayHoldSpecVersion(body) {
		members, _ = scanObject(make(object, 0, usualMembers), body, MaxDepth) // it is one, by its first byte
	}
	return jsonData(body), members, nil
}

// guessOther reads what is no JSON of the usual depth: text, an event whose data is as deep as it may be, or what is refused.
func guessOther(body []byte) (draft, object, error) {
	if err := CheckText(body); err != nil {
		return draft{}, nil, err
	}
	var members object
	valid := json.Valid(body)
	first := firstByte(body)
	if valid && first == '{' && mayHoldSpecVersion(body) {
		members, _ = scanObject(nil, body, maxDecoderDepth)
	}
	limit := MaxDepth
	if !isNull(members.get("specversion")) {
		limit = maxEventDepth
	}
	// What is too deep for any decoder must not be taken for text because no decoder reads it.
	if valid || first == '{' || first == '[' {
		if at := deeperThan(body, limit); at >= 0 {
			return draft{}, nil, Errorf(CodeInvalidArgument, "the body nests deeper than %d levels at byte %d", limit, at)
		}
	}
	if valid {
		return jsonData(body), members, nil
	}
	return draft{Event: Event{DataContentType: ContentTypeText, Data: body}, dataChecked: true, dataShared: true}, nil, nil
}

// jsonData is the event of data that is known to be JSON.
func jsonData(body []byte) draft {
	d := draft{Event: Event{DataContentType: ContentTypeJSON}, dataChecked: true}
	if !isNull(bytes.TrimSpace(body)) {
		d.Data, d.dataShared = body, true
	}
	return d
}

// mayHoldSpecVersion reports whether a JSON object can have a member specversion; a name may be written with escapes.
func mayHoldSpecVersion(body []byte) bool {
	return bytes.Contains(body, []byte("specversion")) || bytes.Contains(body, []byte(`\u00`))
}

// firstByte returns the first byte that is no white space, or 0.
func firstByte(body []byte) byte {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 {
		return trimmed[0]
	}
	return 0
}

// isNull reports whether a JSON value is null or not there.
func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

// parseTime reads an RFC 3339 time.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, Errorf(CodeInvalidArgument, "time %q is not RFC 3339, like 2026-01-31T12:00:00Z", truncate(s, 40))
	}
	return t.UTC(), nil
}
