package target_test

import (
	"net/http"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// many makes n endpoints, each with its own type, key and URL; three of them take ci.degraded.
func many(t testing.TB, n int, expression string) []*target.Endpoint {
	t.Helper()
	client := &http.Client{}
	list := make([]*target.Endpoint, n)
	for i := range list {
		id := "endpoint-" + strconv.Itoa(i)
		spec := events.EndpointSpec{ID: id, URL: "https://example.com/hooks/" + id, Events: []string{"custom." + id + ".>"}, Filter: expression}
		if i%(n/3) == 1 {
			spec.Events = []string{"ci.*"}
		}
		u, err := target.ParseURL(spec.URL)
		require.NoError(t, err)
		list[i], err = target.New(target.Parts{
			Spec: spec, URL: u, Keys: []target.Key{hmacKey(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", time.Time{})}, Client: client, Source: "bus",
			Shown: []events.EndpointKey{{ID: "k" + id, Method: "v1"}},
		})
		require.NoError(t, err)
	}
	return list
}

// TestMemory says what an endpoint costs. It does not run beside others, whose memory it would count.
func TestMemory(t *testing.T) {
	for _, tt := range []struct {
		n      int
		filter string
		most   int64
	}{
		{10_000, "", 4 << 10},
		{1_000, `data.total > 100 && data.status == "failed"`, 12 << 10},
	} {
		before := heap()
		set := target.NewSet(many(t, tt.n, tt.filter)...)
		each := (heap() - before) / int64(tt.n)
		t.Logf("%d endpoints with the filter %q: %d bytes each", tt.n, tt.filter, each)
		require.Equal(t, tt.n, set.Len())
		require.Less(t, each, tt.most)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkFor(b *testing.B) {
	for name, expression := range map[string]string{"patterns": "", "filters": `data.total > 100`} {
		b.Run(name, func(b *testing.B) {
			set := target.NewSet(many(b, 10_000, expression)...)
			ev := events.Event{Type: "ci.degraded", Data: []byte(`{"total": 101}`)}
			b.ReportAllocs()
			for b.Loop() {
				if got := len(set.For(filter.NewFacts(ev))); got != 3 && got != 4 {
					b.Fatal(got)
				}
			}
		})
	}
	b.Run("new types", func(b *testing.B) { // each asks all endpoints once
		set := target.NewSet(many(b, 10_000, "")...)
		n := 0
		for b.Loop() {
			n++
			set.For(filter.NewFacts(events.Event{Type: "custom.x" + strconv.Itoa(n)}))
		}
	})
}

func BenchmarkSet(b *testing.B) {
	list := many(b, 10_000, "")
	set := target.NewSet(list...)
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			target.NewSet(list...)
		}
	})
	b.Run("with", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			set.With(list[5000])
		}
	})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := set.Get("endpoint-4711"); !ok {
				b.Fatal("not found")
			}
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for name, spec := range map[string]events.EndpointSpec{"standard": {}, "body too": {BodySignature: true}} {
		b.Run(name, func(b *testing.B) {
			e := newEndpoint(b, spec)
			body, at, room := make([]byte, 1024), time.Now(), make([]egress.Field, 0, 8)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Sign(b.Context(), "evt_1", at, body, room); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
