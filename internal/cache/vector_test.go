package cache_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

// unit returns a vector of length one.
func unit(dimensions int, seed uint64) []float32 {
	r, v, sum := rand.New(rand.NewPCG(seed, 1)), make([]float32, dimensions), 0.0
	for i := range v {
		v[i] = float32(r.NormFloat64())
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab, aa, bb = ab+float64(a[i])*float64(b[i]), aa+float64(a[i])*float64(a[i]), bb+float64(b[i])*float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range [][]float32{{1}, {0, -0.5, 3e-38, math.MaxFloat32, float32(math.Copysign(0, -1))}, make([]float32, 3072), unit(1536, 1)} {
		got, err := cache.DecodeVector(cache.EncodeVector(v))
		require.NoError(t, err)
		require.Equal(t, v, got)
		for shift := range 4 { // wherever it lies in memory
			got, err = cache.DecodeVector(append(make([]byte, shift, 16<<10), cache.EncodeVector(v)...)[shift:])
			require.NoError(t, err)
			require.Equal(t, v, got)
		}
	}
	good := cache.EncodeVector([]float32{1, 2, 3})
	require.Equal(t, "4d4c53560100000003000000", hex.EncodeToString(good[:12]), "the form is shared with other versions: it does not change")
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		_, err := cache.DecodeVector(bad)
		require.ErrorIs(t, err, cache.ErrCorrupt, "byte %d", i)
	}
	for _, bad := range [][]byte{
		nil, good[:15], good[:20], append(bytes.Clone(good), 0), cache.EncodeVector(nil),
		cache.EncodeVector([]float32{float32(math.NaN())}), cache.EncodeVector([]float32{0, float32(math.Inf(-1)), 1}),
	} {
		_, err := cache.DecodeVector(bad)
		require.ErrorIs(t, err, cache.ErrCorrupt)
	}
	for place := range 9 { // one number that is not finite, wherever it stands
		v := unit(9, 1)
		v[place] = float32(math.Inf(1))
		for shift := range 2 {
			_, err := cache.DecodeVector(append(make([]byte, shift, 1<<10), cache.EncodeVector(v)...)[shift:])
			require.ErrorIs(t, err, cache.ErrCorrupt, "number %d", place)
		}
	}
}

func FuzzDecodeVector(f *testing.F) {
	f.Add(cache.EncodeVector([]float32{1, 2}))
	f.Add(cache.EncodeHalves([]float32{1, 2, 3}))
	f.Add([]byte("MLSV"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := cache.DecodeVector(b)
		if err != nil {
			require.ErrorIs(t, err, cache.ErrCorrupt)
			return
		}
		if b[5] == byte(cache.Float16) {
			require.Equal(t, b, cache.EncodeHalves(v))
		} else {
			require.Equal(t, b, cache.EncodeVector(v))
		}
	})
}

// FuzzUnseal: whatever stands in Redis, it is nothing or what was sealed.
func FuzzUnseal(f *testing.F) {
	f.Add(cache.Seal("k", []byte("value"), 5, 7, false), "k")
	f.Add(cache.Seal("k", nil, 5, 7, true), "k")
	f.Add([]byte("MLSC"), "")
	f.Fuzz(func(t *testing.T, b []byte, key string) {
		value, fresh, fill, absent, err := cache.Unseal(b, key)
		if err == nil {
			require.Equal(t, b, cache.Seal(key, value, fresh, fill, absent))
		}
	})
}

// All float16 that there are come back as they were, and every number becomes the nearest of them.
func TestFloat16(t *testing.T) {
	t.Parallel()
	all := make([]float32, 0, 1<<16)
	for bits := range 1 << 16 {
		if bits&0x7c00 != 0x7c00 {
			all = append(all, halfOf(uint16(bits)))
		}
	}
	packed := cache.EncodeHalves(all)
	require.Len(t, packed, 16+2*len(all))
	got, err := cache.DecodeVector(packed)
	require.NoError(t, err)
	require.Equal(t, all, got)

	sorted := slices.Clone(all)
	slices.Sort(sorted)
	r := rand.New(rand.NewPCG(3, 4))
	var asked, want []float32
	for i := 1; i < len(sorted); i++ {
		low, high := sorted[i-1], sorted[i]
		middle := float32((float64(low) + float64(high)) / 2) // exact
		asked = append(asked, math.Nextafter32(middle, low), math.Nextafter32(middle, high), low+(middle-low)*0.9*r.Float32())
		want = append(want, low, high, low)
	}
	for part := range slices.Chunk(asked, 60_000) {
		got, err := cache.DecodeVector(cache.EncodeHalves(part))
		require.NoError(t, err)
		for i := range got {
			require.InDelta(t, want[i], got[i], 0, "%g", part[i])
		}
		want = want[len(part):]
	}
	ties := []float32{1 + 1.0/2048, 1 + 3.0/2048, 65519, 0x1p-25, 0x3p-25, -0x1p-25}
	got, err = cache.DecodeVector(cache.EncodeHalves(ties))
	require.NoError(t, err)
	require.Equal(t, []float32{1, 1 + 2.0/1024, 65504, 0, 0x2p-24, float32(math.Copysign(0, -1))}, got, "to even")

	for _, large := range [][]float32{{1, 65520}, {-1e30}} {
		packed := cache.EncodeHalves(large)
		require.Len(t, packed, 16+4*len(large), "what does not fit is kept as it is")
		got, err := cache.DecodeVector(packed)
		require.NoError(t, err)
		require.Equal(t, large, got)
	}
	for _, v := range [][]float32{unit(1536, 1), unit(384, 2)} {
		got, err := cache.DecodeVector(cache.EncodeHalves(v))
		require.NoError(t, err)
		require.Greater(t, cosine(v, got), 1-1e-6)
	}
	notFinite := cache.EncodeHalves([]float32{1})
	binary.LittleEndian.PutUint16(notFinite[16:], 0x7c00)
	cache.Resum(notFinite)
	_, err = cache.DecodeVector(notFinite)
	require.ErrorContains(t, err, "not finite")
}

// halfOf reads a float16 by the book: sign, exponent, and digits.
func halfOf(bits uint16) float32 {
	sign, exponent, digits := 1.0, int(bits>>10&0x1f), float64(bits&0x3ff)
	if bits&0x8000 != 0 {
		sign = -1
	}
	if exponent == 0 {
		return float32(math.Copysign(math.Ldexp(digits, -24), sign))
	}
	return float32(math.Copysign(math.Ldexp(1024+digits, exponent-25), sign))
}

func TestVectorKeys(t *testing.T) {
	t.Parallel()
	base := cache.VectorKey{Caller: "alice", Model: "openai/m", Revision: "r1", Source: "https://api", InputType: "query", Text: "my secret"}
	require.NotContains(t, base.String(), "secret")
	require.True(t, strings.HasPrefix(base.String(), "v2:alice:openai/m@r1:0:"), base.String())
	vectors := (*cache.Namespace)(nil).Vectors(base)
	require.Equal(t, base.String(), vectors.Key("my secret"))
	require.NotEqual(t, base.String(), vectors.Key("other"))
	require.Equal(t, base.String(), vectors.Key("my secret"))
	seen := map[string]bool{base.String(): true}
	for _, change := range []func(*cache.VectorKey){
		func(k *cache.VectorKey) { k.Caller = "bob" }, func(k *cache.VectorKey) { k.Model = "openai/n" },
		func(k *cache.VectorKey) { k.Source = "https://other" }, func(k *cache.VectorKey) { k.Dimensions = 256 },
		func(k *cache.VectorKey) { k.Revision = "r2" }, func(k *cache.VectorKey) { k.InputType = "document" },
		func(k *cache.VectorKey) { k.Raw = true }, func(k *cache.VectorKey) { k.Precision = cache.Float16 },
		func(k *cache.VectorKey) { k.Text = "My secret" }, func(k *cache.VectorKey) { k.Text = "my secret " },
		func(k *cache.VectorKey) { k.Caller, k.Model = "alice:openai/m", "" },
		func(k *cache.VectorKey) { k.Caller, k.Model = "alic", "eopenai/m" },
		func(k *cache.VectorKey) { k.Model, k.Revision = "openai/m@r1", "" },
		func(k *cache.VectorKey) { k.Text = strings.Repeat("long ", 10_000) },
	} {
		k := base
		change(&k)
		require.False(t, seen[k.String()], k)
		seen[k.String()] = true
	}
}

func TestVectorsOfTexts(t *testing.T) {
	t.Parallel()
	one, two, addr, name := replicas(t, cache.Options{})
	for _, precision := range []cache.Precision{cache.Float32, cache.Float16} {
		key := cache.VectorKey{Caller: "alice", Model: "m", Dimensions: 384, Precision: precision}
		texts, vectors := []string{"a", "b", "none", "c"}, [][]float32{unit(384, 1), unit(384, 2), nil, unit(383, 3)}
		one.Vectors(key).SetMulti(t.Context(), texts, vectors)
		asked := []string{"c", "b", "other", "a", "b", "none"}
		for range 2 { // from Redis, and from the process
			got, found := two.Vectors(key).GetMulti(t.Context(), asked)
			require.Equal(t, 3, found)
			require.Len(t, got, len(asked))
			for _, i := range []int{0, 2, 5} {
				require.Nil(t, got[i], "what has another length, too, is none")
			}
			require.Greater(t, cosine(got[1], vectors[1]), 1-1e-6)
			require.Equal(t, got[1], got[4])
			require.Greater(t, cosine(got[3], vectors[0]), 1-1e-6)
			if precision == cache.Float32 {
				require.Equal(t, vectors[0], got[3])
			}
		}
		size, err := redistest.Client(t, addr).StrLen(t.Context(), "mlsdm:"+name+":"+one.Vectors(key).Key("a")).Result()
		require.NoError(t, err)
		require.Equal(t, map[cache.Precision]int64{cache.Float32: 24 + 16 + 4*384, cache.Float16: 24 + 16 + 2*384}[precision], size)
	}
	key := cache.VectorKey{Model: "m"}
	two.Set(t.Context(), two.Vectors(key).Key("bad"), []byte("no vector"))
	_, found := two.Vectors(key).GetMulti(t.Context(), []string{"bad"})
	require.Zero(t, found)
	require.Equal(t, uint64(5), two.Stats().Corrupt)
	none := (*cache.Namespace)(nil).Vectors(key)
	none.SetMulti(t.Context(), []string{"a"}, [][]float32{{1}})
	_, found = none.GetMulti(t.Context(), []string{"a"})
	require.Zero(t, found)
}
