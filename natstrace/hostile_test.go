package natstrace_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/natstrace"
)

func TestWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	r := record()
	for _, data := range []string{
		"", "null", "{}", "[]", "7", `"x"`, "{", `{"events":null}`, `{"events":{}}`, `{"events":[]}`, `{"events":[7]}`, `{"events":[[]]}`,
		`{"events":[` + stored + `]}`, `{"events":[{"type":"in"}]}`, `{"events":[{"type":"in","ts":"yesterday"}]}`,
		`{"events":[{"type":"in","ts":"9999-01-01T00:00:00Z"}]}`, `{"events":[{"type":"in","ts":"0001-01-01T00:00:00Z"}]}`,
		`{"events":[{"type":"in","ts":"2026-01-02T03:04:05Z","kind":"client"}]}`, `{"events":[{"type":"in","ts":"2026-01-02T03:04:05Z","cid":-1}]}`,
		`{"request":{"header":{"traceparent":{}}},"events":[` + in + `]}`, `{"request":{"header":{"traceparent":[1]}},"events":[` + in + `]}`,
		strings.Repeat("[", 100_000), strings.Repeat(`{"events":`, 50_000), `{"request":{"header":{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}},"events":[` + in + `]}`,
	} {
		require.ErrorIs(t, r.Handle([]byte(data)), natstrace.ErrInvalid, "%.80s", data)
	}
	require.ErrorIs(t, r.Handle(bytes.Repeat([]byte(" "), natstrace.MaxBytes+1)), natstrace.ErrTooLarge)
	require.Empty(t, r.spans.GetSpans())
	require.EqualValues(t, 25, r.Counts().Refused)
}

// Large numbers of everything are cut to size.
func TestALotOfEverything(t *testing.T) {
	t.Parallel()
	r := record()
	long := strings.Repeat("ä", 5000)
	var steps strings.Builder
	steps.WriteString(strings.NewReplacer(`"shop"`, `"`+long+`"`, `"A"`, `"`+long+`"`).Replace(in))
	for n := range 3000 {
		fmt.Fprintf(&steps, `,{"type":"eg","ts":"2026-01-02T03:04:05.003Z","kind":0,"cid":%d,"sub":"orders.*"}`, n)
	}
	steps.WriteString(`,{"type":"eg","ts":"2026-01-02T03:04:05.003Z","kind":1,"cid":1,"name":"b","hop":"1"}`)
	require.NoError(t, r.Handle(said(traced+`,"x":["`+long+`"]`, steps.String())))
	spans := r.spans.GetSpans()
	require.Len(t, spans, 1+16+1, "the message, some of its receivers, and the way to the next server")
	require.EqualValues(t, 3001, r.attributes(t, "route orders.{id}")["messaging.nats.egress.count"])
	for _, s := range spans {
		for _, a := range s.Attributes {
			require.LessOrEqual(t, len(a.Value.String()), 256)
		}
	}
	for n := range 3000 { // hops whose beginnings never come
		routed := strings.Replace(strings.Replace(in, `"kind":0`, `"kind":1`, 1), `"cid":7`, fmt.Sprintf(`"cid":%d`, n), 1)
		require.NoError(t, r.Handle(saidBy("b", traced+fmt.Sprintf(`,"Nats-Trace-Hop":["9.%d"]`, n), routed)))
	}
	require.EqualValues(t, 1024, r.Counts().Held)
	require.EqualValues(t, 3000-1024, r.Counts().Orphans)
	r.Close()
}

// Times that cannot be are those of the beginning.
func TestTimesThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, ts := range []string{"2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z"} {
		r := record()
		require.NoError(t, r.Handle(said(traced, in+`,{"type":"js","ts":"`+ts+`","stream":"ORDERS"}`)))
		span := r.spans.GetSpans()[0]
		require.Equal(t, span.StartTime, span.EndTime)
	}
}

func FuzzHandle(f *testing.F) {
	a, b, c := chain()
	for _, seed := range [][]byte{a, b, c, said(traced, in+","+stored), []byte("{}")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := record(natstrace.Patience(time.Hour))
		err := r.Handle(data)
		r.Close()
		if err != nil {
			require.True(t, errors.Is(err, natstrace.ErrInvalid) || errors.Is(err, natstrace.ErrTooLarge) || errors.Is(err, natstrace.ErrCompressed), err)
			require.Empty(t, r.spans.GetSpans())
			return
		}
		for _, s := range r.spans.GetSpans() {
			require.False(t, s.EndTime.Before(s.StartTime))
			require.LessOrEqual(t, len(s.Attributes), 32)
		}
	})
}

// Others can take the package as it is.
func TestImportsStandardLibraryAndOpenTelemetryOnly(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=Imports", ".").Output()
	require.NoError(t, err)
	var listed struct{ Imports []string }
	require.NoError(t, json.Unmarshal(out, &listed))
	require.NotEmpty(t, listed.Imports)
	for _, imported := range listed.Imports {
		first, _, _ := strings.Cut(imported, "/")
		api := strings.HasPrefix(imported, "go.opentelemetry.io/otel/") && !strings.Contains(imported, "/sdk")
		require.True(t, !strings.Contains(first, ".") || api, imported)
	}
}

func BenchmarkHandle(b *testing.B) {
	bridge := record(natstrace.Patience(time.Hour))
	step := strings.Split(in, "05.000000001Z")
	n := 0
	for b.Loop() {
		n++
		if n%1000 == 0 {
			bridge.spans.Reset()
		}
		_ = bridge.Handle(said(traced, fmt.Sprintf("%s05.%09dZ%s,%s", step[0], n%1_000_000_000, step[1], stored)))
	}
}
