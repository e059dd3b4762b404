package events

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
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
