package cache_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

const dimensions = 1536

func BenchmarkEncode(b *testing.B) {
	v := unit(dimensions, 1)
	for name, encode := range map[string]func([]float32) []byte{"float32": cache.EncodeVector, "float16": cache.EncodeHalves} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				encode(v)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	v := unit(dimensions, 1)
	for name, packed := range map[string][]byte{"float32": cache.EncodeVector(v), "float16": cache.EncodeHalves(v)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := cache.DecodeVector(packed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	key := cache.VectorKey{Caller: "alice", Model: "openai/text-embedding-3-small", Dimensions: dimensions, InputType: "query"}
	text := "a text of the length that a question of somebody has who wants to know something"
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = (*cache.Namespace)(nil).Vectors(key).Key(text)
		}
	})
	b.Run("next", func(b *testing.B) {
		vectors := (*cache.Namespace)(nil).Vectors(key)
		b.ReportAllocs()
		for b.Loop() {
			_ = vectors.Key(text)
		}
	})
}

func BenchmarkNear(b *testing.B) {
	_, n, _ := replica(b, settings(), "bench", cache.Options{})
	keys := hundred(b, n)
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := n.Get(b.Context(), keys[7]); !ok {
				b.Fatal("it is there")
			}
		}
	})
	b.Run("getmulti-100", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if n.GetMulti(b.Context(), keys)[99] == nil {
				b.Fatal("it is there")
			}
		}
	})
}

// hundred keeps 100 vectors, and returns their keys.
func hundred(b *testing.B, n *cache.Namespace) []string {
	b.Helper()
	keys, values := make([]string, 100), make([][]byte, 100)
	vectors := n.Vectors(cache.VectorKey{Caller: "alice", Model: "openai/text-embedding-3-small", Dimensions: dimensions})
	for i := range keys {
		keys[i], values[i] = vectors.Key(strconv.Itoa(i)), cache.EncodeVector(unit(dimensions, uint64(i)))
	}
	n.SetMulti(b.Context(), keys, values)
	return keys
}

// BenchmarkFar is each beside what the bare client takes for the same, in turns: so that both have the same of what else goes on.
func BenchmarkFar(b *testing.B) {
	addr, name := redistest.Addr(b), space()
	_, n, _ := replica(b, at(addr), name, cache.Options{})
	keys := hundred(b, n)
	full := make([]string, len(keys))
	for i, key := range keys {
		full[i] = "mlsdm:" + name + ":" + key
	}
	client := redistest.Client(b, addr)
	b.Run("get", func(b *testing.B) {
		beside(b, func() {
			_, err := client.Get(b.Context(), full[7]).Bytes()
			require.NoError(b, err)
		}, n.Forget, func() {
			if _, ok := n.Get(b.Context(), keys[7]); !ok {
				b.Fatal("it is there")
			}
		})
	})
	b.Run("getmulti-100", func(b *testing.B) {
		beside(b, func() {
			_, err := client.MGet(b.Context(), full...).Result()
			require.NoError(b, err)
		}, n.Forget, func() {
			if n.GetMulti(b.Context(), keys)[99] == nil {
				b.Fatal("it is there")
			}
		})
	})
	value := cache.EncodeVector(unit(dimensions, 1))
	b.Run("set", func(b *testing.B) {
		beside(b, func() {
			require.NoError(b, client.Set(b.Context(), full[7], value, time.Hour).Err())
		}, func() {}, func() { n.Set(b.Context(), keys[7], value) })
	})
}

// beside reports the medians of both, and how many times longer ours takes.
func beside(b *testing.B, floor, prepare, ours func()) {
	b.Helper()
	var floors, all []float64
	for b.Loop() {
		start := time.Now()
		floor()
		floors = append(floors, float64(time.Since(start)))
		prepare()
		start = time.Now()
		ours()
		all = append(all, float64(time.Since(start)))
	}
	slices.Sort(floors)
	slices.Sort(all)
	b.ReportMetric(floors[len(floors)/2]/1e3, "floor-µs")
	b.ReportMetric(all[len(all)/2]/1e3, "ours-µs")
	b.ReportMetric(all[len(all)/2]/floors[len(floors)/2], "times")
}
