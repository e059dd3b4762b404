package events

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// What a report writes of itself is what encoding/json would write, whatever is set in it.
func TestRequestProcessedWritesItself(t *testing.T) {
	t.Parallel()
	texts := []string{"", "a", "openai/gpt-4o-mini", "\"\\\n\t\x01\x7f", "ж€😀", "<&>", "\u2028", "bad\xffutf"}
	floats := []float64{0, 1, .001, 1e-7, 12.345, 1e21, 123456789.125, 5e-324}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var p RequestProcessed
		v := reflect.ValueOf(&p).Elem()
		for _, f := range v.Fields() {
			switch f.Kind() {
			case reflect.String:
				f.SetString(texts[random.IntN(len(texts))])
			case reflect.Bool:
				f.SetBool(random.IntN(2) == 0)
			case reflect.Int:
				f.SetInt(int64(random.IntN(3)) * 1234567)
			case reflect.Float64:
				f.SetFloat(floats[random.IntN(len(floats))])
			default:
				t.Fatalf("a field is a %s, which is not written", f.Kind())
			}
		}
		want, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		got := p.appendJSON(nil)
		var asked, written map[string]any
		if err := json.Unmarshal(want, &asked); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(got, &written); err != nil || !reflect.DeepEqual(asked, written) {
			t.Fatalf("%s instead of %s: %v", got, want, err)
		}
	}
}

// The event of a report is the one that is made in two steps.
func TestRequestProcessedAppendsItsEvent(t *testing.T) {
	t.Parallel()
	p := RequestProcessed{
		RequestID: "r1", Caller: "ж\"", Kind: KindGenerate, Door: DoorInteractive, Model: "a/b", Outcome: OutcomeOK, LatencyMS: 1.5, TotalTokens: 3,
	}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	east := time.FixedZone("east", 3*60*60)
	for _, c := range []struct {
		trace, state string
		at           time.Time
	}{
		{},
		{trace: trace, at: time.Now()},
		{trace, `vendor=a"b\c,ж=<&>`, time.Now().In(east)},
		{at: time.Date(2026, 1, 2, 3, 4, 5, 600, east)},
		{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	} {
		want, err := New("/mlsdm/generator", p)
		if err != nil {
			t.Fatal(err)
		}
		want.TraceParent, want.TraceState, want.Time = c.trace, c.state, c.at
		given := Event{ID: want.ID, Source: want.Source, Time: c.at, TraceParent: c.trace, TraceState: c.state}
		got, err := p.AppendEvent([]byte("before"), &given)
		if err != nil {
			t.Fatal(err)
		}
		text, err := want.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != "before"+string(text) {
			t.Fatalf("%s instead of %s", got, text)
		}
	}
	p.Outcome = "odd"
	if got, err := p.AppendEvent([]byte("before"), &Event{ID: "1", Source: "/s"}); CodeOf(err) != CodeInvalidArgument || string(got) != "before" {
		t.Fatalf("%s, %v", got, err)
	}
	p.Outcome = OutcomeOK
	if got, err := p.AppendEvent([]byte("before"), &Event{Source: "/s"}); CodeOf(err) != CodeInvalidArgument || string(got) != "before" {
		t.Fatalf("%s, %v", got, err)
	}
}
