package events_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const subject = "mlsdm.events.custom.deploy"

func stored() events.Stored {
	return events.Stored{Stream: "MLSDM_EVENTS", Sequence: 42, Time: time.Date(2026, 11, 23, 10, 0, 0, 5, time.FixedZone("", 3600))}
}

// form is a message as someone published it.
type form struct {
	header map[string][]string
	body   string
}

func (f form) read() (events.Event, error) {
	return events.FromMessage(events.Subjects{}, subject, f.header, []byte(f.body), stored())
}

func header(pairs ...string) map[string][]string {
	h := map[string][]string{}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

const whole = `{"specversion":"1.0","id":"7","source":"/ci","type":"custom.deploy","subject":"shop","time":"2026-11-23T12:00:00+02:00",` +
	`"dataschema":"urn:x","traceparent":"00-1","tracestate":"a=b","data": {"v": 1} ,"tenant":"t","build":-5,"dry":true}`

func TestFromMessageForms(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		form form
		want string // the structured form that comes out
	}{
		"structured": {
			form{header("Content-Type", "application/cloudevents+json; charset=utf-8"), whole},
			`{"specversion":"1.0","id":"7","source":"/ci","type":"custom.deploy","subject":"shop","time":"2026-11-23T10:00:00Z","dataschema":"urn:x",` +
				`"traceparent":"00-1","tracestate":"a=b","data":{"v":1},"build":-5,"dry":true,"tenant":"t"}`,
		},
		"structured without a content type": {
			form{nil, " \n" + `{"specversion":"1.0","type":"custom.deploy","data":null,"x":null}`},
			`{"specversion":"1.0","id":"019aaff7-7400-7dbd-9021-3c37b9ae4b2d","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z"}`,
		},
		"structured with an escaped name": {
			form{nil, `{"s\u0070ecversion":"1.0","\u0069d":"7","source":"s"}`},
			`{"specversion":"1.0","id":"7","source":"s","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z"}`,
		},
		"structured wins over ce- headers": {
			form{header("content-type", "APPLICATION/cloudevents+json", "ce-type", "other", "ce-id", "9"), `{"specversion":"1.0","id":"7","source":"s"}`},
			`{"specversion":"1.0","id":"7","source":"s","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z"}`,
		},
		"structured text": {
			form{nil, `{"specversion":"1.0","id":"7","source":"s","datacontenttype":"text/plain","data":"a\u0001\"<\u00fc"}`},
			`{"specversion":"1.0","id":"7","source":"s","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","datacontenttype":"text/plain","data":"a\u0001\"<ü"}`,
		},
		"structured JSON string": {
			form{nil, `{"specversion":"1.0","id":"7","source":"s","data":"text"}`},
			`{"specversion":"1.0","id":"7","source":"s","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","data":"text"}`,
		},
		"structured bytes": {
			form{nil, `{"specversion":"1.0","id":"7","source":"s","datacontenttype":"image/png","data_base64":"AAH/"}`},
			`{"specversion":"1.0","id":"7","source":"s","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","datacontenttype":"image/png","data_base64":"AAH/"}`,
		},
		"structured JSON as base64": {
			form{nil, `{"specversion":"1.0","id":"7","source":"s","data_base64":"eyJhIjogMX0="}`},
			`{"specversion":"1.0","id":"7","source":"s","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","data":{"a":1}}`,
		},
		"binary": {
			form{header("ce-specversion", "1.0", "CE-ID", "a%20b%C3%BC", "Ce-Source", "/ci", "ce-type", "custom.deploy", "ce-time", "2026-11-23T10:00:00Z",
				"ce-tenant", "t%25", "Content-Type", "application/json", "ce-traceparent", "00-2"), `{"v": 1}`},
			`{"specversion":"1.0","id":"a bü","source":"/ci","type":"custom.deploy","time":"2026-11-23T10:00:00Z","datacontenttype":"application/json",` +
				`"traceparent":"00-2","data":{"v":1},"tenant":"t%"}`,
		},
		"binary that is not percent-encoded": {
			form{header("ce-specversion", "1.0", "ce-id", "7", "ce-subject", "100% ü", "ce-tenant", "%zz"), ""},
			`{"specversion":"1.0","id":"7","source":"/mlsdm/bus","type":"custom.deploy","subject":"100% ü","time":"2026-11-23T09:00:00.000000005Z","tenant":"%zz"}`,
		},
		"binary with bytes": {
			form{header("ce-specversion", "1.0", "ce-id", "7", "content-type", "application/octet-stream"), "\x00\xff"},
			`{"specversion":"1.0","id":"7","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z",` +
				`"datacontenttype":"application/octet-stream","data_base64":"AP8="}`,
		},
		"binary without a content type": {
			form{header("ce-specversion", "1.0", "ce-id", "7"), `{"specversion":"of the data"}`},
			`{"specversion":"1.0","id":"7","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z",` +
				`"datacontenttype":"application/json","data":{"specversion":"of the data"}}`,
		},
		"binary text without a content type": {
			form{header("ce-specversion", "1.0", "ce-id", "7"), `hello`},
			`{"specversion":"1.0","id":"7","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","datacontenttype":"text/plain","data":"hello"}`,
		},
		"binary without a body": {
			form{header("ce-specversion", "1.0", "ce-id", "7"), ""},
			`{"specversion":"1.0","id":"7","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z"}`,
		},
		"bare JSON": {
			form{header("nats-msg-id", "m-1", "Traceparent", "00-3", "TraceState", "x=y"), `{"version":"1.2.3","html":"<b>"}`},
			`{"specversion":"1.0","id":"m-1","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z",` +
				`"datacontenttype":"application/json","traceparent":"00-3","tracestate":"x=y","data":{"version":"1.2.3","html":"<b>"}}`,
		},
		"bare list": {
			form{header("Nats-Msg-Id", "m-1"), ` [1] `},
			`{"specversion":"1.0","id":"m-1","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","datacontenttype":"application/json","data":[1]}`,
		},
		"bare null": {
			form{header("Nats-Msg-Id", "m-1"), "null\n"},
			`{"specversion":"1.0","id":"m-1","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","datacontenttype":"application/json"}`,
		},
		"bare object with a null specversion": {
			form{header("Nats-Msg-Id", "m-1"), `{"specversion":null}`},
			`{"specversion":"1.0","id":"m-1","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z",` +
				`"datacontenttype":"application/json","data":{"specversion":null}}`,
		},
		"bare text": {
			form{header("Nats-Msg-Id", "m-1"), `deployed {1.2.3`},
			`{"specversion":"1.0","id":"m-1","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","datacontenttype":"text/plain","data":"deployed {1.2.3"}`,
		},
		"text with many brackets": {
			form{header("Nats-Msg-Id", "m-1"), "x " + strings.Repeat("[", 70)},
			`{"specversion":"1.0","id":"m-1","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","datacontenttype":"text/plain","data":"x ` + strings.Repeat("[", 70) + `"}`,
		},
		"white space": {
			form{header("Nats-Msg-Id", "m-1"), " \n"},
			`{"specversion":"1.0","id":"m-1","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","datacontenttype":"text/plain","data":" \n"}`,
		},
		"nothing": {
			form{header("Nats-Msg-Id", "m-1"), ""},
			`{"specversion":"1.0","id":"m-1","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z"}`,
		},
		"typed bytes": {
			form{header("Nats-Msg-Id", "m-1", "Content-Type", "image/png"), "\x89PNG"},
			`{"specversion":"1.0","id":"m-1","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","datacontenttype":"image/png","data_base64":"iVBORw=="}`,
		},
		"typed JSON that looks like an event": {
			form{header("Nats-Msg-Id", "m-1", "Content-Type", "application/json"), `{"specversion":"9"}`},
			`{"specversion":"1.0","id":"m-1","source":"/mlsdm/bus","type":"custom.deploy","time":"2026-11-23T09:00:00.000000005Z","datacontenttype":"application/json","data":{"specversion":"9"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev, err := tc.form.read()
			wantNoError(t, err)
			out, err := ev.MarshalJSON()
			wantNoError(t, err)
			if name == "structured without a content type" {
				wantEqual(t, "id", ev.ID, events.StoredID(stored()))
				tc.want = strings.Replace(tc.want, "019aaff7-7400-7dbd-9021-3c37b9ae4b2d", ev.ID, 1)
			}
			wantEqual(t, "event", string(out), tc.want)
		})
	}
}

func TestFromMessageRefuses(t *testing.T) {
	t.Parallel()
	event := func(members string) form {
		return form{nil, `{"specversion":"1.0","id":"7","source":"s",` + members + `}`}
	}
	for name, tc := range map[string]struct {
		form form
		word string
	}{
		"contradicting type":          {event(`"type":"custom.other"`), "contradicts"},
		"contradicting binary type":   {form{header("ce-specversion", "1.0", "ce-type", "custom.other"), ""}, "contradicts"},
		"other specversion":           {form{nil, `{"specversion":"0.3"}`}, "specversion"},
		"numeric specversion":         {form{nil, `{"specversion":1.0}`}, "specversion must be a string"},
		"no specversion":              {form{header("Content-Type", "application/cloudevents+json"), `{"id":"7"}`}, "specversion"},
		"other binary specversion":    {form{header("ce-specversion", "2.0"), ""}, "specversion"},
		"no binary specversion":       {form{header("ce-id", "7"), "{}"}, "no ce-specversion"},
		"structured list":             {form{header("Content-Type", "application/cloudevents+json"), `[]`}, "must be a JSON object"},
		"structured nothing":          {form{header("Content-Type", "application/cloudevents+json"), ``}, "empty"},
		"structured rubbish":          {form{header("Content-Type", "application/cloudevents+json"), `{"specversion"`}, "not JSON at byte 14"},
		"batch":                       {form{header("Content-Type", "application/cloudevents-batch+json"), `[]`}, "batch"},
		"other event format":          {form{header("Content-Type", "application/cloudevents+xml"), `<x/>`}, "not understood"},
		"broken media type":           {form{header("Content-Type", "a/b; c"), `{}`}, "not a media type"},
		"typed JSON is not":           {form{header("Content-Type", "application/json"), `{`}, "the data is not JSON"},
		"typed JSON is nothing":       {form{header("Content-Type", "application/problem+json"), ` `}, "the data is empty"},
		"typed text is not":           {form{header("Content-Type", "text/plain"), "\xff"}, "the data is not valid UTF-8"},
		"bytes without a type":        {form{nil, "\x00\xff"}, "not valid UTF-8 at byte 1"},
		"binary bytes without a type": {form{header("ce-specversion", "1.0"), "\x00\xff"}, "not valid UTF-8 at byte 1"},
		"binary JSON is not":          {form{header("ce-specversion", "1.0", "Content-Type", "application/json"), "{"}, "the data is not JSON"},
		"binary structured attribute": {form{header("ce-specversion", "1.0", "ce-data", "x"), ""}, "attribute of its own"},
		"binary bad time":             {form{header("ce-specversion", "1.0", "ce-time", "noon"), ""}, "RFC 3339"},
		"binary attribute twice":      {form{header("ce-specversion", "1.0", "ce-id", "1", "Ce-Id", "2"), ""}, "more than once"},
		"binary two values":           {form{header("ce-specversion", "1.0", "ce-id", "1", "ce-id", "2"), ""}, "more than once"},
		"binary odd extension":        {form{header("ce-specversion", "1.0", "ce-my-ext", "1"), ""}, "lower-case letters and digits"},
		"binary control character":    {form{header("ce-specversion", "1.0", "ce-source", "a%0Ab"), ""}, "control character"},
		"binary bad UTF-8":            {form{header("ce-specversion", "1.0", "ce-source", "%ff"), ""}, "UTF-8"},
		"id is a number":              {event(`"id":7`), "id must be a string"},
		"type is a list":              {event(`"type":[]`), "type must be a string"},
		"empty id":                    {form{header("Nats-Msg-Id", strings.Repeat("x", 129)), "{}"}, "129 bytes"},
		"time is not":                 {event(`"time":"2026-11-23"`), "RFC 3339"},
		"time before time":            {event(`"time":"0000-01-01T00:00:00Z"`), "year"},
		"time after time":             {event(`"time":"9999-12-31T23:59:59-01:00"`), "year"},
		"data twice":                  {event(`"data":1,"data_base64":"AA=="`), "exclude"},
		"bad base64":                  {event(`"data_base64":"?"`), "base64"},
		"base64 as a list":            {event(`"data_base64":[1,2]`), "data_base64 must be a string"},
		"text data is an object":      {event(`"datacontenttype":"text/plain","data":{}`), "must be a JSON string"},
		"base64 of no JSON":           {event(`"data_base64":"AAAA"`), "the data is not JSON"},
		"content type of no sense":    {event(`"datacontenttype":"x y","data":"z"`), "not a media type"},
		"extension is an object":      {event(`"tenant":{}`), "tenant"},
		"extension is a fraction":     {event(`"tenant":1.5`), "32-bit integer"},
		"extension is too large":      {event(`"tenant":2147483648`), "32-bit integer"},
		"extension in upper case":     {event(`"Type":"custom.deploy"`), "lower-case"},
		"extension of no name":        {event(`"":"x"`), "name of 1 to 64"},
		"extension of a long name":    {event(`"` + strings.Repeat("x", 5000) + `":"x"`), "name of 1 to 64"},
		"extension of a long value":   {event(`"x":"` + strings.Repeat("x", 1025) + `"`), "1025 bytes"},
		"long subject":                {event(`"subject":"` + strings.Repeat("x", 1025) + `"`), "1025 bytes"},
		"control character in source": {form{nil, `{"specversion":"1.0","id":"7","source":"a\u0000"}`}, "control character"},
		"source is no URI":            {form{nil, `{"specversion":"1.0","id":"7","source":"%zz"}`}, "URI reference"},
		"too large":                   {form{nil, `"` + strings.Repeat("x", events.MaxBody) + `"`}, "1048578 bytes"},
		"too deep":                    {form{nil, nested(65)}, "deeper than 64"},
		"too deep an object":          {form{nil, `{"a":` + nested(64) + `}`}, "deeper than 64"},
		"too deep for a decoder":      {form{nil, nested(20_000)}, "deeper than 64"},
		"too deep and white":          {form{nil, "\n " + nested(20_000)}, "deeper than 64"},
		"too deep and broken":         {form{nil, strings.Repeat(`{"a":`, 20_000)}, "deeper than 64"},
		"too deep data":               {event(`"data":` + nested(65)), "deeper than 65"},
		"too deep binary data":        {form{header("ce-specversion", "1.0", "Content-Type", "application/json"), nested(65)}, "deeper than 64"},
		"too deep untyped data":       {form{header("ce-specversion", "1.0"), nested(20_000)}, "deeper than 64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tc.form.read()
			wantError(t, err, events.CodeInvalidArgument, tc.word)
			_, again := tc.form.read()
			wantEqual(t, "the reason, the second time", again.Error(), err.Error())
		})
	}
}

func TestFromMessageSubjects(t *testing.T) {
	t.Parallel()
	for subject, word := range map[string]string{
		"mlsdm.embed": "not an event subject", "other.events.custom.x": "not an event subject", "": "not an event subject",
		"mlsdm.events.": "no type", "mlsdm.events.a b": "byte 1", "mlsdm.events.ü": "byte 0", "mlsdm.events.a..b": "byte 2",
		"mlsdm.events." + strings.Repeat("x", 5000): "5000 bytes", strings.Repeat("x", 5000): "not an event subject",
	} {
		_, err := events.FromMessage(events.Subjects{}, subject, nil, []byte("{}"), stored())
		wantError(t, err, events.CodeInvalidArgument, word)
	}
}

// What may be published can be passed on and read again, although it grows on its way.
func TestLargestAndDeepestSurviveTheirEnvelope(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]form{
		"largest JSON":   {nil, `"` + strings.Repeat("x", events.MaxBody-2) + `"`},
		"largest text":   {nil, "x" + strings.Repeat("\x01", events.MaxBody-1)},
		"largest bytes":  {header("Content-Type", "application/octet-stream"), strings.Repeat("\xff", events.MaxBody)},
		"deepest":        {nil, nested(64)},
		"deepest object": {nil, `{"a":` + nested(63) + `}`},
		"deepest event":  {nil, `{"specversion":"1.0","id":"7","source":"s","data":` + nested(64) + `}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev, err := f.read()
			wantNoError(t, err)
			out, err := ev.MarshalJSON()
			wantNoError(t, err)
			again, err := events.ParseStructured(out)
			wantNoError(t, err)
			wantEqual(t, "data", string(again.Data), string(ev.Data))
		})
	}
	_, err := events.ParseStructured([]byte(`{"specversion":"1.0","id":"7","source":"s","type":"x","datacontenttype":"image/png","data_base64":"` +
		base64.StdEncoding.EncodeToString(make([]byte, events.MaxBody+1)) + `"}`))
	wantError(t, err, events.CodeInvalidArgument, "the data has 1048577 bytes")
	_, err = events.ParseStructured(make([]byte, events.MaxStructured+1))
	wantError(t, err, events.CodeInvalidArgument, "the event has 8388609 bytes")
}

func TestFromMessageDoesNotKeepTheBody(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"a":"b"}`, `plain`, `{"specversion":"1.0","id":"7","source":"s","data":{"a":"b"}}`} {
		body := []byte(text)
		ev, err := events.FromMessage(events.Subjects{}, subject, nil, body, stored())
		wantNoError(t, err)
		before := string(ev.Data)
		clear(body)
		wantEqual(t, "data", string(ev.Data), before)
	}
}
