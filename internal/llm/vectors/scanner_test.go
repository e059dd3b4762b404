package vectors_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
)

// vector reads a text as one vector, with nothing behind it.
func vector(text string, wrap func(io.Reader) io.Reader) ([]float32, error) {
	var src io.Reader = strings.NewReader(text)
	if wrap != nil {
		src = wrap(src)
	}
	s := vectors.NewScanner(src)
	v, err := s.Vector()
	if err == nil {
		err = s.End()
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// pack is base64 of numbers.
func pack(list ...float32) string {
	var raw []byte
	for _, f := range list {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func TestVector(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]float32{
		`[]`: nil, ` [ 1 , 2 ] `: {1, 2}, `[-0.5,2e-3,1E+2,0,-0]`: {-0.5, 0.002, 100, 0, float32(math.Copysign(0, -1))},
		`"AACAPwAAAMA="`: {1, -2}, `"` + strings.ReplaceAll(pack(-math.MaxFloat32), "/", `\/`) + `"`: {-math.MaxFloat32}, `""`: {},
		`[0.000000000000000000000000000000000000000000000001]`: {1e-48}, `[` + strings.Repeat("9", 38) + `]`: {1e38},
		`[0.` + strings.Repeat("0", 30) + strings.Repeat("3", 400) + `]`: {1. / 3 * 1e-30},
		`[16777217,16777217.0000000001,0.1,1e-45,3.4028235e38]`:          {16777216, 16777218, 0.1, 1e-45, math.MaxFloat32},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": nil, "bytes": iotest.OneByteReader, "half": iotest.HalfReader, "end": iotest.DataErrReader} {
			got, err := vector(text, wrap)
			require.NoError(t, err, "%s %s", name, text)
			require.Len(t, got, len(want))
			for i, w := range want {
				require.Equal(t, math.Float32bits(w), math.Float32bits(got[i]), "%s %s", name, text)
			}
		}
	}
}

func TestNoVector(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, text := range []string{
		``, `[`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `[1]]`, `[1],`, `[1]x`, `[null]`, `[true]`, `["1"]`, `[[1]]`, `[{}]`, `null`, `{}`, `1`, `true`,
		`[01]`, `[1.]`, `[.5]`, `[+1]`, `[-]`, `[1e]`, `[1e+]`, `[0x1]`, `[1_0]`, `[NaN]`, `[Infinity]`, `[-Infinity]`, `[1e39]`, `[-1e999]`, `[1e9999]`,
		`[1e99999999999]`, `[` + strings.Repeat("1", 400) + `]`, `[` + strings.Repeat("1", 1000) + `]`, `[1.` + strings.Repeat("0", 1000) + `]`, `[1.2.3]`, `[1-2]`, `[1e1e1]`,
		`"`, `"AACAPw`, `"AACAPw=="x`, `"AACAPw="`, `"AACA"`, `"AACAPwAA"`, `"%%%%"`, `"AACAPw==\n"`, "\"AACA\nPw==\"", `"\u0041ACAPw=="`, `"AACAPx=="`,
		`"AACAPw==\`, `"` + pack(nan) + `"`, `"` + pack(inf) + `"`, `"` + pack(1, inf, 1) + `"`, `"-_-_-_=="`,
		`[` + strings.Repeat("1,", vectors.MaxDimensions) + `1]`, `"` + pack(make([]float32, vectors.MaxDimensions+2)...) + `"`,
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": nil, "bytes": iotest.OneByteReader, "end": iotest.DataErrReader} {
			got, err := vector(text, wrap)
			require.Error(t, err, "%s %.40s", name, text)
			require.Nil(t, got)
		}
	}
}

func TestLongestVector(t *testing.T) {
	t.Parallel()
	want := make([]float32, vectors.MaxDimensions)
	for i := range want {
		want[i] = float32(i)
	}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	for _, form := range []string{string(text), `"` + pack(want...) + `"`} {
		got, err := vector(form, nil)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// What is fast is as exact as what is slow: numbers of all lengths and sizes, and those in the middle between two float32.
func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var texts []string
	check := func(text string) { texts = append(texts, text) }
	for range 100_000 {
		f := math.Float32frombits(random.Uint32())
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			continue
		}
		check(strconv.FormatFloat(float64(f), "efg"[random.IntN(2)*2], -1, 32))
		next := math.Nextafter32(f, 0)
		between := (float64(f) + float64(next)) / 2
		for _, d := range []float64{between, math.Nextafter(between, 0), math.Nextafter(between, 2*between), random.NormFloat64() * 0.05} {
			check(strconv.FormatFloat(d, "eg"[random.IntN(2)], random.IntN(21)-1, 64))
		}
	}
	for range 20_000 {
		digits := strconv.FormatUint(random.Uint64(), 10)
		at := random.IntN(len(digits))
		check("0." + strings.Repeat("0", random.IntN(45)) + digits)
		if at > 0 && digits[0] != '0' {
			check(digits[:at] + "." + digits[at:] + "e" + strconv.Itoa(random.IntN(100)-60))
		}
	}
	for part := range slices.Chunk(texts, 1000) {
		var want []float32
		finite := slices.DeleteFunc(part, func(text string) bool {
			f, err := strconv.ParseFloat(text, 32)
			if err == nil {
				want = append(want, float32(f))
			}
			return err != nil
		})
		got, err := vector("["+strings.Join(finite, ",")+"]", nil)
		require.NoError(t, err)
		require.Len(t, got, len(want))
		for i, w := range want {
			require.Equal(t, math.Float32bits(w), math.Float32bits(got[i]), finite[i])
		}
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	for text, good := range map[string]bool{
		`null`: true, `true`: true, ` false `: true, `-1.5e-7`: true, `"a\"\\\/\b\f\n\r\t\u00e9é"`: true, `{}`: true, `[]`: true, `{"a":[1,{"b":null}],"":""}`: true,
		`"` + strings.Repeat("x", 200<<10) + `"`: true, deep: true, "[" + deep + "]": false, `nul`: false, `nulx`: false, `truefalse`: false, `{"a"}`: false, `{"a":}`: false,
		`{"a":1,}`: false, `{a:1}`: false, `{"a":1 "b":2}`: false, `"\x"`: false, `"\u12g4"`: false, `"\u12`: false, "\"\n\"": false, `{"a":1]`: false, `[1}`: false, "\ufeff1": false,
		`{"` + strings.Repeat("n", 600) + `":1}`: false, `{"\u0061":1}`: true, `{"\q":1}`: false, ``: false, ` `: false, `1 1`: false, `--1`: false, `"\`: false,
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader} {
			s := vectors.NewScanner(wrap(strings.NewReader(text)))
			err := s.Skip()
			if err == nil {
				err = s.End()
			}
			require.Equal(t, good, err == nil, "%s %.40s: %v", name, text, err)
		}
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	s := vectors.NewScanner(strings.NewReader(`{"index": 7, "embedding":[1], "\u0061\n":{"x":[1,2]}, "usage":{"a": [1,"}"]}, "none":null}`))
	var seen []string
	require.NoError(t, s.Object(func(name string) error {
		seen = append(seen, name)
		switch name {
		case "index":
			i, err := s.Int()
			require.Equal(t, 7, i)
			return err
		case "embedding":
			_, err := s.Vector()
			return err
		case "usage":
			raw, err := s.Raw(100)
			require.JSONEq(t, `{"a":[1,"}"]}`, string(raw))
			return err
		case "none":
			null, err := s.Null()
			require.True(t, null)
			return err
		default:
			return s.Skip()
		}
	}))
	require.NoError(t, s.End())
	require.Equal(t, []string{"index", "embedding", "a\n", "usage", "none"}, seen)
	for _, text := range []string{`1.0`, `1e2`, `"1"`, `99999999999999999999`, `null`, ``, `-`} {
		_, err := vectors.NewScanner(strings.NewReader(text)).Int()
		require.Error(t, err, text)
	}
	_, err := vectors.NewScanner(strings.NewReader(`"` + strings.Repeat("x", 200) + `"`)).Raw(100)
	require.Error(t, err)
}

func TestSourceFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, text := range []string{``, `[`, `[1`, `[1,`, `"AA`, `[1]`, `nul`, `{`, `{"a`, `{"a":`, `"\u00`} {
		s := vectors.NewScanner(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)))
		err := s.Skip()
		if err == nil {
			err = s.End()
		}
		require.ErrorIs(t, err, broken, text)
	}
	_, err := vectors.NewScanner(iotest.ErrReader(io.ErrNoProgress)).Kind()
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// FuzzSkip compares what is JSON here with what is JSON elsewhere.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+3,"x\u00e9\n",null,true,false,{}]}`, `[1,]`, `{"a":1}x`, `"\ud800"`, "\"\xff\"", `[[[]]]`, `{"\"":0}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := vectors.NewScanner(strings.NewReader(text))
		err := s.Skip()
		if err == nil {
			err = s.End()
		}
		if len(text) < 500 && strings.Count(text, "[")+strings.Count(text, "{") < 64 {
			require.Equal(t, json.Valid([]byte(text)), err == nil, "%q: %v", text, err)
		}
		s = vectors.NewScanner(iotest.OneByteReader(strings.NewReader(text)))
		raw, again := s.Raw(1 << 20)
		if again == nil {
			again = s.End()
		}
		require.Equal(t, err == nil, again == nil, "%v, %v", err, again)
		if err == nil {
			require.JSONEq(t, text, string(raw))
		}
	})
}

// FuzzVector compares a vector with what encoding/json makes of it.
func FuzzVector(f *testing.F) {
	for _, seed := range []string{`[1,2]`, `"AACAPw=="`, `"AACAP\/8="`, `[0.1,-2e-7,16777217]`, `[1e39]`, `[null]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := vector(text, nil)
		var want []float32
		trimmed := strings.TrimSpace(text)
		if strings.HasPrefix(trimmed, "[") && len(text) < 500 {
			wrong := json.Unmarshal([]byte(text), &want)
			if strings.Contains(text, "null") {
				require.Error(t, err)
				return
			}
			require.Equal(t, wrong == nil, err == nil, "%q: %v, %v", text, wrong, err)
			if err != nil {
				return
			}
		}
		for i, w := range want {
			require.Equal(t, math.Float32bits(w), math.Float32bits(got[i]), text)
		}
	})
}

func BenchmarkVector(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, 1536)
	var numbers strings.Builder
	for i := range values {
		f := random.NormFloat64() * 0.03
		values[i] = float32(f)
		fmt.Fprintf(&numbers, ",%v", f) // 17 digits, as OpenAI writes them
	}
	short, err := json.Marshal(values)
	require.NoError(b, err)
	for name, text := range map[string]string{"float64": "[" + numbers.String()[1:] + "]", "float32": string(short), "base64": `"` + pack(values...) + `"`} {
		b.Run(name, func(b *testing.B) {
			const times = 64
			b.ReportAllocs()
			whole := "[" + strings.Repeat(text+",", times-1) + text + "]"
			for b.Loop() {
				s := vectors.NewScanner(strings.NewReader(whole))
				if err := s.Array(func(int) error { _, err := s.Vector(); return err }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/times, "µs/vector")
			b.ReportMetric(0, "ns/op")
		})
	}
}
