package attemptlog

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// fields returns the headers of a record as they come from the sender.
func fields(request map[string]string) []egress.Field {
	var list []egress.Field
	for name, value := range request {
		list = append(list, egress.Field{Name: name, Value: value})
	}
	return list
}

// requireSameReading checks that what we write reads as what encoding/json writes.
func requireSameReading(t *testing.T, r events.DeliveryAttempt) {
	t.Helper()
	text := appendRecord(nil, &r, fields(r.Request))
	require.True(t, json.Valid(text), "%s", text)
	require.True(t, utf8.Valid(text))
	theirs, err := json.Marshal(r)
	require.NoError(t, err)
	var got, want events.DeliveryAttempt
	require.NoError(t, json.Unmarshal(text, &got))
	require.NoError(t, json.Unmarshal(theirs, &want))
	require.Equal(t, want, got)
	var gotMembers, wantMembers map[string]json.RawMessage // nothing is there that encoding/json leaves out, and the reverse
	require.NoError(t, json.Unmarshal(text, &gotMembers))
	require.NoError(t, json.Unmarshal(theirs, &wantMembers))
	for name := range wantMembers {
		require.Contains(t, gotMembers, name)
	}
	require.Len(t, gotMembers, len(wantMembers))
}

// example is a record with everything.
func example() events.DeliveryAttempt {
	at := time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.UTC)
	return events.DeliveryAttempt{
		DeliveryID: "0123456789abcdef0123456789abcdef", EndpointID: "shop", EventID: "019c12b0-8000-7000-8000-000000000000",
		EventType: "custom.load", Attempt: 3, At: at, LatencyMS: 12.345, Status: 503, Outcome: events.AttemptRetry,
		Error: "the receiver answered 503 \"Service Unavailable\"", ErrorClass: events.ErrorClassStatus, Fault: events.FaultReceiver,
		Request:  map[string]string{"Content-Type": "application/json", "User-Agent": "mlsdm-webhooks/1", "webhook-id": "1", "webhook-timestamp": "1700000000"},
		Timing:   &events.AttemptTiming{DNSMS: .1, ConnectMS: .2, TLSMS: 1.5, FirstByteMS: 10},
		Response: "<p>over & out</p>\n", NextAt: at.Add(time.Minute), ReplayID: "again",
	}
}

func TestRecordsReadAsEncodingJSONHasThem(t *testing.T) {
	t.Parallel()
	requireSameReading(t, example())
	requireSameReading(t, events.DeliveryAttempt{})
	requireSameReading(t, events.DeliveryAttempt{Timing: &events.AttemptTiming{}, Request: map[string]string{}})
	requireSameReading(t, events.DeliveryAttempt{Timing: &events.AttemptTiming{TLSMS: 3}, Request: map[string]string{"": ""}})
	for _, text := range []string{
		"\x00\x01\x1f\x7f\"\\/\b\f\n\r\t", "<>&\u2028\u2029", "\xff\xfe", "a\xc3", "\xed\xa0\x80", "\xf0\x9f\x98", "😀é", strings.Repeat("\xff", 100),
	} {
		requireSameReading(t, events.DeliveryAttempt{Response: text, Error: text, Request: map[string]string{text: text}})
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1e-9, 1e21, 1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, -3.5, 1.0 / 3} {
		requireSameReading(t, events.DeliveryAttempt{LatencyMS: f, Timing: &events.AttemptTiming{DNSMS: f}})
	}
	requireSameReading(t, events.DeliveryAttempt{At: time.Unix(0, 1).UTC(), NextAt: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)})
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		r := example()
		b := make([]byte, random.IntN(40))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		r.Response, r.Attempt, r.LatencyMS = string(b), int(random.Int32()), random.ExpFloat64()*math.Pow(10, float64(random.IntN(60)-30))
		r.At = time.Unix(random.Int64N(1e10), random.Int64N(1e9)).UTC()
		requireSameReading(t, r)
	}
}

func TestWhatEncodingJSONRefusesIsZero(t *testing.T) {
	t.Parallel()
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		var got events.DeliveryAttempt
		text := appendRecord(nil, &events.DeliveryAttempt{LatencyMS: f, At: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}, nil)
		require.NoError(t, json.Unmarshal(text, &got))
		require.Zero(t, got)
	}
	var got events.DeliveryAttempt
	zone := time.FixedZone("", 25*3600) // more than RFC 3339 can say
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, zone)
	require.NoError(t, json.Unmarshal(appendRecord(nil, &events.DeliveryAttempt{At: at}, nil), &got))
	require.True(t, at.Equal(got.At))
}

func TestRecordsAreBounded(t *testing.T) {
	t.Parallel()
	r := example()
	r.Response, r.Error = strings.Repeat("é", 4000)+"end", "x"+strings.Repeat("é", 4000)
	var got events.DeliveryAttempt
	require.NoError(t, json.Unmarshal(appendBounded(nil, &r, fields(r.Request)), &got))
	require.Equal(t, strings.Repeat("é", maxResponse/2), got.Response)
	require.Equal(t, "x"+strings.Repeat("é", (maxError-1)/2), got.Error, "cut between two characters")
	require.Equal(t, r.Request, got.Request)

	r.Response = strings.Repeat("\x01", maxResponse)
	require.NoError(t, json.Unmarshal(appendBounded(nil, &r, fields(r.Request)), &got), "escaped it takes six times as much, which is foreseen")
	require.Equal(t, r.Response, got.Response)

	got = events.DeliveryAttempt{}
	r.Request = map[string]string{"big": strings.Repeat("x", maxRecord)}
	text := appendBounded([]byte{}, &r, fields(r.Request))
	require.Less(t, len(text), maxRecord)
	require.NoError(t, json.Unmarshal(text, &got))
	require.Nil(t, got.Request)
	require.Empty(t, got.Response)
	require.Equal(t, r.DeliveryID, got.DeliveryID)
	require.Equal(t, r.Timing, got.Timing)
}

func FuzzRecord(f *testing.F) {
	e := example()
	f.Add(e.DeliveryID, e.Error, e.Response, e.Status, e.LatencyMS, e.At.UnixNano())
	f.Add("\"", "\\", "\xff\u2028", -1, 1e-300, int64(-1))
	f.Fuzz(func(t *testing.T, id, text, answer string, status int, latency float64, at int64) {
		if math.IsNaN(latency) || math.IsInf(latency, 0) {
			return
		}
		requireSameReading(t, events.DeliveryAttempt{
			DeliveryID: id, Error: text, Response: answer, Status: status, LatencyMS: latency, At: time.Unix(0, at).UTC(),
			Request: map[string]string{text: id}, Timing: &events.AttemptTiming{FirstByteMS: latency},
		})
	})
}
