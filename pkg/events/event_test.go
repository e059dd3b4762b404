package events_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func valid() events.Event {
	return events.Event{ID: "1", Source: "/mlsdm/test", Type: "custom.x", Time: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
}

func TestNewAndDecode(t *testing.T) {
	t.Parallel()
	payload := events.SecretRotated{Name: "a", Store: "vault", Version: "2"}
	before := time.Now()
	ev, err := events.New("/mlsdm/secretd", payload)
	wantNoError(t, err)
	wantEqual(t, "type", ev.Type, events.TypeSecretRotated)
	wantEqual(t, "dataschema", ev.DataSchema, "urn:mlsdm:schema:v1:secret.rotated")
	wantEqual(t, "datacontenttype", ev.DataContentType, "application/json")
	if ev.Time.Before(before) || ev.Time.Location() != time.UTC {
		t.Fatalf("time is %v", ev.Time)
	}
	got, err := events.Decode[events.SecretRotated](ev)
	wantNoError(t, err)
	wantEqual(t, "payload", got, payload)

	_, err = events.New("/mlsdm/secretd", events.SecretRotated{Name: "a"})
	wantError(t, err, events.CodeInvalidArgument, "store is missing")
	_, err = events.New("", payload)
	wantError(t, err, events.CodeInvalidArgument, "no source")
	_, err = events.New("/x", events.EndpointRecovered{EndpointID: "e", DownSince: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
	wantError(t, err, events.CodeInvalidArgument, "endpoint.recovered cannot be written as JSON")

	_, err = events.Decode[events.SecretUnavailable](ev)
	wantError(t, err, events.CodeInvalidArgument, `"secret.rotated", not "secret.unavailable"`)
	for data, word := range map[string]string{`{"name":"a"}`: "store", `{"name":5}`: "name must be a string", `[]`: "object", ``: "empty", `{`: "not JSON"} {
		ev.Data = []byte(data)
		_, err = events.Decode[events.SecretRotated](ev)
		wantError(t, err, events.CodeInvalidArgument, word)
	}
	ev.Data = []byte(`{"name":"a","store":"vault","of_a_later_version":{"x":1}}`)
	_, err = events.Decode[events.SecretRotated](ev)
	wantNoError(t, err)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := valid()
	good.Extensions = map[string]any{"a": "b", "c1": true, "d": int32(-5)}
	good.Data, good.DataContentType = []byte("x\x00"), "text/plain"
	wantNoError(t, good.Validate())
	for name, tc := range map[string]struct {
		change func(*events.Event)
		word   string
	}{
		"no type":              {func(ev *events.Event) { ev.Type = "" }, "no type"},
		"bad type":             {func(ev *events.Event) { ev.Type = "a b" }, "byte 1"},
		"no id":                {func(ev *events.Event) { ev.ID = "" }, "id is empty"},
		"bad id":               {func(ev *events.Event) { ev.ID = "a\nb" }, "id has a control character"},
		"no source":            {func(ev *events.Event) { ev.Source = "" }, "no source"},
		"bad source":           {func(ev *events.Event) { ev.Source = "1:2" }, "URI reference"},
		"bad subject":          {func(ev *events.Event) { ev.Subject = "\xff" }, "subject is not valid UTF-8"},
		"bad dataschema":       {func(ev *events.Event) { ev.DataSchema = "\x7f" }, "dataschema"},
		"bad traceparent":      {func(ev *events.Event) { ev.TraceParent = "a\r\nb" }, "traceparent"},
		"long tracestate":      {func(ev *events.Event) { ev.TraceState = strings.Repeat("x", 1025) }, "tracestate"},
		"bad datacontenttype":  {func(ev *events.Event) { ev.DataContentType = "a b" }, "datacontenttype"},
		"year 10000":           {func(ev *events.Event) { ev.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "year 10000"},
		"no JSON":              {func(ev *events.Event) { ev.Data = []byte("x") }, "the data is not JSON"},
		"no text":              {func(ev *events.Event) { ev.Data, ev.DataContentType = []byte("\xff"), "text/csv" }, "the data is not valid UTF-8"},
		"large data":           {func(ev *events.Event) { ev.Data, ev.DataContentType = make([]byte, events.MaxBody+1), "a/b" }, "1048577"},
		"int extension":        {func(ev *events.Event) { ev.Extensions = map[string]any{"a": 1} }, "32-bit integer"},
		"nil extension":        {func(ev *events.Event) { ev.Extensions = map[string]any{"a": nil} }, "32-bit integer"},
		"bad extension":        {func(ev *events.Event) { ev.Extensions = map[string]any{"a": "\n"} }, "control character"},
		"reserved extension":   {func(ev *events.Event) { ev.Extensions = map[string]any{"id": "x"} }, "attribute of its own"},
		"data extension":       {func(ev *events.Event) { ev.Extensions = map[string]any{"data": "x"} }, "attribute of its own"},
		"upper-case extension": {func(ev *events.Event) { ev.Extensions = map[string]any{"aB": "x"} }, "lower-case"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev := valid()
			tc.change(&ev)
			wantError(t, ev.Validate(), events.CodeInvalidArgument, tc.word)
			_, err := ev.MarshalJSON()
			wantError(t, err, events.CodeInvalidArgument, tc.word)
			_, _, _, err = ev.Message(events.Subjects{})
			wantError(t, err, events.CodeInvalidArgument, tc.word)
		})
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	ev := valid()
	ev.TraceParent, ev.TraceState = "00-1", "a=b"
	ev.Data = []byte(`{ "html": "<b>&</b>" }`)
	subject, header, body, err := ev.Message(events.Subjects{})
	wantNoError(t, err)
	wantEqual(t, "subject", subject, "mlsdm.events.custom.x")
	wantEqual(t, "body", string(body), `{"specversion":"1.0","id":"1","source":"/mlsdm/test","type":"custom.x","time":"2026-11-23T10:00:00Z",`+
		`"traceparent":"00-1","tracestate":"a=b","data":{"html":"<b>&</b>"}}`)
	for name, want := range map[string]string{
		"Nats-Msg-Id": "1", "Content-Type": "application/cloudevents+json", "traceparent": "00-1", "tracestate": "a=b",
	} {
		if got := header[name]; len(got) != 1 || got[0] != want {
			t.Fatalf("the header %s is %q, want %q", name, got, want)
		}
	}
	wantEqual(t, "headers", len(header), 4)
	got, err := events.FromMessage(events.Subjects{}, subject, header, body, events.Stored{})
	wantNoError(t, err)
	wantEqual(t, "id", got.ID, "1")

	ev.Data = []byte(`"` + strings.Repeat("x", events.MaxBody-2) + `"`)
	_, _, _, err = ev.Message(events.Subjects{})
	wantError(t, err, events.CodeInvalidArgument, "at most 1048576")
	_, header, _, err = valid().Message(events.Subjects{})
	wantNoError(t, err)
	wantEqual(t, "headers without a trace", len(header), 2)
}

func TestEventInsideOtherJSON(t *testing.T) {
	t.Parallel()
	in := []events.Event{valid()}
	out, err := json.Marshal(in)
	wantNoError(t, err)
	var got []events.Event
	wantNoError(t, json.Unmarshal(out, &got))
	wantEqual(t, "id", got[0].ID, "1")
	wantError(t, json.Unmarshal([]byte(`[{"specversion":"1.0"}]`), &got), events.CodeInvalidArgument, "no type")
	_, err = json.Marshal([]events.Event{{}})
	wantError(t, err, events.CodeInvalidArgument, "no type")
}

func TestIDs(t *testing.T) {
	t.Parallel()
	v7 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := events.NewID()
		if !v7.MatchString(id) || seen[id] {
			t.Fatalf("%s is no UUIDv7, or came twice", id)
		}
		seen[id] = true
	}
	at := time.Date(2026, 11, 23, 10, 0, 0, 1, time.UTC)
	base := events.Stored{Stream: "MLSDM_EVENTS", Sequence: 42, Time: at}
	id := events.StoredID(base)
	// The same in every version, in every process: an event without an id must not get a new one when it comes again.
	wantEqual(t, "id", id, "01a207d9-2100-7c07-8dad-6a488485a6a8")
	wantEqual(t, "id in another time zone", events.StoredID(events.Stored{Stream: "MLSDM_EVENTS", Sequence: 42, Time: at.In(time.FixedZone("", 3600))}), id)
	for name, other := range map[string]events.Stored{
		"stream": {Stream: "MLSDM_OTHER", Sequence: 42, Time: at}, "sequence": {Stream: "MLSDM_EVENTS", Sequence: 43, Time: at},
		"time": {Stream: "MLSDM_EVENTS", Sequence: 42, Time: at.Add(1)}, "nothing": {}, "before 1970": {Time: at.AddDate(-100, 0, 0)},
	} {
		if got := events.StoredID(other); got == id || !v7.MatchString(got) {
			t.Fatalf("another %s: %s", name, got)
		}
	}
}
