package cached_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
)

// full returns a cache that holds this many secrets of this many bytes.
func full(b *testing.B, entries, size int) *cached.Cache {
	b.Helper()
	store := &fake{answer: func(context.Context, secret.Ref) (secret.Entry, error) {
		return secret.NewEntry(secret.StoreVault, "1", strings.Repeat("x", size))
	}}
	c, err := cached.New(map[string]secret.Store{secret.StoreVault: store}, cached.Config{}, nil)
	require.NoError(b, err)
	b.Cleanup(c.Close)
	for n := range entries {
		_, err := c.Get(b.Context(), other(n), cached.Options{})
		require.NoError(b, err)
	}
	return c
}

// BenchmarkFreshGet is a Get of what is known, of one secret and of a hundred thousand.
func BenchmarkFreshGet(b *testing.B) {
	for name, test := range map[string]struct{ entries, size int }{
		"one/40B": {1, 40}, "one/256B": {1, 256}, "one/4KiB": {1, 4 << 10}, "100000/40B": {100_000, 40},
	} {
		b.Run(name, func(b *testing.B) {
			c := full(b, test.entries, test.size)
			refs := make([]secret.Ref, min(test.entries, 1<<14))
			for n := range refs {
				refs[n] = other(n * 5 % test.entries)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, err := c.Get(b.Context(), refs[n%len(refs)], cached.Options{}); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	}
	b.Run("one/40B/parallel", func(b *testing.B) {
		c, r := full(b, 1, 40), other(0)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.Get(b.Context(), r, cached.Options{}); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkMemory is what each of a hundred thousand secrets of 40 bytes takes.
func BenchmarkMemory(b *testing.B) {
	const entries = 100_000
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		c := full(b, entries, 40)
		b.ReportMetric(float64(heap()-before)/entries, "bytes/entry")
		runtime.KeepAlive(c)
	}
}

// BenchmarkOpen is what of that is AES-GCM.
func BenchmarkOpen(b *testing.B) {
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(b, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(b, err)
	nonce := make([]byte, aead.NonceSize())
	sealed := aead.Seal(nil, nonce, make([]byte, 40), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := aead.Open(nil, nonce, sealed, nil); err != nil {
			b.Fatal(err)
		}
	}
}
