package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// wantCoded checks that a refusal is one that may cross the bus.
func wantCoded(t *testing.T, err error) {
	t.Helper()
	var e *events.Error
	if !errors.As(err, &e) || !e.Code.Known() || e.Code == events.CodeInternal || len(e.Message) > 2048 {
		t.Fatalf("not a documented error: %v (%T)", err, err)
	}
}

// wantSame checks that two events say the same.
func wantSame(t *testing.T, got, want events.Event) {
	t.Helper()
	if !got.Time.Equal(want.Time) {
		t.Fatalf("time %v became %v", want.Time, got.Time)
	}
	got.Time, want.Time = time.Time{}, time.Time{}
	if !sameData(got, want) {
		t.Fatalf("data %q became %q", want.Data, got.Data)
	}
	got.Data, want.Data = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("event %+v became %+v", want, got)
	}
}

// sameData compares data but for the white space of JSON, which is not kept.
func sameData(got, want events.Event) bool {
	if bytes.Equal(got.Data, want.Data) {
		return true
	}
	var b bytes.Buffer
	return json.Compact(&b, want.Data) == nil && (bytes.Equal(b.Bytes(), got.Data) || len(got.Data) == 0 && b.String() == "null")
}

func FuzzFromMessage(f *testing.F) {
	for _, file := range goldenFiles(f, golden) {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add("", "", "", "", body)
	}
	f.Add("application/json", "", "", "m-1", []byte(`{"a":1}`))
	f.Add("", "ce-id", "a%20b", "", []byte("text"))
	f.Add("text/plain", "ce-time", "2026-11-23T10:00:00+14:00", "", []byte("\x00"))
	f.Add("application/octet-stream", "ce-x", "%", "", []byte("\xff"))
	f.Add("", "", "", "", []byte(strings.Repeat("[", 20_000)))
	f.Fuzz(func(t *testing.T, contentType, name, value, msgID string, body []byte) {
		h := map[string][]string{}
		if contentType != "" {
			h[events.HeaderContentType] = []string{contentType}
		}
		if msgID != "" {
			h[events.HeaderMsgID] = []string{msgID}
		}
		if name != "" {
			h["ce-specversion"] = []string{"1.0"}
			h[name] = []string{value}
		}
		ev, err := events.FromMessage(events.Subjects{}, subject, h, body, stored())
		if err != nil {
			wantCoded(t, err)
			return
		}
		wantEqual(t, "type", ev.Type, "custom.deploy")
		wantNoError(t, ev.Validate())
		// Whatever is read can be passed on, and says the same to the next reader.
		out, err := ev.MarshalJSON()
		wantNoError(t, err)
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
		again, err := events.ParseStructured(out)
		wantNoError(t, err)
		wantSame(t, again, ev)
	})
}

func FuzzStructured(f *testing.F) {
	for _, file := range goldenFiles(f, golden) {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(whole))
	f.Fuzz(func(t *testing.T, body []byte) {
		ev, err := events.ParseStructured(body)
		if err != nil {
			wantCoded(t, err)
			return
		}
		out, err := ev.MarshalJSON()
		wantNoError(t, err)
		again, err := events.ParseStructured(out)
		wantNoError(t, err)
		wantSame(t, again, ev)
		third, err := again.MarshalJSON()
		wantNoError(t, err)
		wantEqual(t, "written again", string(third), string(out))
		_, err = events.FromMessage(events.Subjects{}, events.Subjects{}.Event(ev.Type), nil, body, events.Stored{})
		if err != nil && len(body) <= events.MaxBody {
			t.Fatalf("read on its own, but not from a message: %v", err)
		}
	})
}

func FuzzSubjects(f *testing.F) {
	f.Add("mlsdm", "shop", "42", "ci.degraded")
	f.Add("a-b", "*", ">", "custom..x")
	f.Add("", "a b", "a.b", "é")
	f.Fuzz(func(t *testing.T, prefix, caller, id, eventType string) {
		s, err := events.NewSubjects(prefix)
		if err != nil {
			wantCoded(t, err)
			return
		}
		callerErr, idErr := events.CheckToken("caller", caller), events.CheckToken("id", id)
		if callerErr != nil {
			wantCoded(t, callerErr)
		}
		if idErr != nil {
			wantCoded(t, idErr)
		}
		if callerErr == nil && caller != events.DefaultCaller {
			wantTokens(t, s.Interactive(caller, "webhooks.endpoints.list"), 6)
			wantTokens(t, s.Request(caller, events.KindEmbed), 5)
			wantTokens(t, s.Secret(caller), 5)
			for _, subject := range []string{s.Interactive(caller, "embed"), s.Request(caller, "embed"), s.Secret(caller)} {
				wantEqual(t, "caller of "+subject, s.Caller(subject), caller)
			}
		}
		if idErr == nil {
			wantTokens(t, s.Result("", id), 4)
			wantTokens(t, s.DeliveryReady(id), 4)
			wantTokens(t, s.DeliveryLater(id), 4)
			wantTokens(t, s.Attempts(id), 3)
			wantTokens(t, s.DeliveryAgain(id), 4)
			wantTokens(t, s.DeadDelivery(events.FaultReceiver, id), 5)
		}
		if callerErr == nil && idErr == nil {
			wantTokens(t, s.Result(caller, id), 4)
		}
		if err := events.CheckType(eventType); err != nil {
			wantCoded(t, err)
		} else {
			subject := s.Event(eventType)
			wantTokens(t, subject, 3+strings.Count(eventType, "."))
			got, ok := s.EventType(subject)
			wantEqual(t, "type", got, eventType)
			wantEqual(t, "ok", ok, true)
		}
	})
}

// wantTokens checks that a subject is one that can be published on, with this number of tokens.
func wantTokens(t *testing.T, subject string, n int) {
	t.Helper()
	tokens := strings.Split(subject, ".")
	wantEqual(t, "number of tokens of "+subject, len(tokens), n)
	for _, token := range tokens {
		if token == "" || token == "*" || token == ">" || strings.ContainsAny(token, " \t\r\n\x00") {
			t.Fatalf("%q cannot be published on", subject)
		}
	}
}

func FuzzVector(f *testing.F) {
	for _, seed := range []string{`[1,2.5,-3e-10]`, `"AACAPw=="`, `[]`, `null`, `[null]`, `"AAAA"`, `[1e39]`, `"AADAfw=="`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var v events.Vector
		if err := events.DecodeJSON(body, &v); err != nil {
			wantCoded(t, err)
			return
		}
		out, err := json.Marshal(v)
		wantNoError(t, err)
		var again events.Vector
		wantNoError(t, json.Unmarshal(out, &again))
		if !reflect.DeepEqual(again, v) && len(v.Values) > 0 {
			t.Fatalf("%v became %v", v, again)
		}
	})
}

func FuzzChatRequest(f *testing.F) {
	for _, file := range []string{"chat_request.json", "chat_request-prompt.json", "embeddings_request.json"} {
		body, err := os.ReadFile(golden + "/bodies/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"stop":"a","Extra":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r events.ChatRequest
		if err := events.DecodeJSON(body, &r); err != nil {
			wantCoded(t, err)
			return
		}
		if err := r.Validate(); err != nil {
			wantCoded(t, err)
			return
		}
		if len(r.Conversation()) == 0 {
			t.Fatal("a valid request has something to answer")
		}
		out, err := json.Marshal(r)
		wantNoError(t, err)
		var again events.ChatRequest
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("what we write, we do not read: %v: %s", err, out)
		}
		third, err := json.Marshal(again)
		wantNoError(t, err)
		wantEqual(t, "written again", string(third), string(out))
	})
}
