package llmtest

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Packed is the JSON text of a vector as base64.
func Packed(v ...float32) string {
	var raw []byte
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return `"` + base64.StdEncoding.EncodeToString(raw) + `"`
}

// forms: spellings of numbers and vectors that are about.
func (d *EmbedDialect) forms(t *testing.T) {
	t.Parallel()
	forms := map[string][]float32{
		`[1,2]`: {1, 2}, `[0,-3]`: {0, -3}, `[ 1e0 ,2.50E+1 ]`: {1, 25}, "[\n\t-1.5e-3,\r\n 0.0]": {-0.0015, 0}, `[1e-60,1]`: {0, 1},
		`[0.00692928349599242,-1.2345678901234567e-05]`: {0.00692928349599242, -1.2345678901234567e-05}, `[3.4028235e38,1e-45]`: {math.MaxFloat32, 1e-45},
	}
	if d.Base64 {
		odd := []float32{-math.MaxFloat32, math.Float32frombits(0xfbefbeff)} // its base64 has all the marks
		forms[Packed(odd...)] = odd
		forms[strings.ReplaceAll(Packed(odd...), "/", `\/`)] = odd
	}
	for text, want := range forms {
		r, _ := d.recall(t, strings.NewReader(d.Answer(d.raw(text, `[1,1]`))))
		got, err := r.embed(t.Context(), texts(2))
		require.NoError(t, err, text)
		require.Equal(t, [][]float32{want, {1, 1}}, got.Vectors, text)
	}
}

// nesting: a vector is a list of numbers, and nothing deeper unless the protocol says so.
func (d *EmbedDialect) nesting(t *testing.T) {
	t.Parallel()
	for depth := range 6 {
		t.Run(strconv.Itoa(depth), func(t *testing.T) {
			t.Parallel()
			nest := func(numbers string) string {
				if depth == 0 {
					return "1.5"
				}
				return strings.Repeat("[", depth) + numbers + strings.Repeat("]", depth)
			}
			body := d.Answer(d.raw(nest("1,2"), nest("3,4")))
			if depth != 1 && !slices.Contains(d.Depths, depth) {
				require.Equal(t, llm.ClassAnswer, d.fails(t, texts(2), body).Class)
				return
			}
			r, _ := d.recall(t, strings.NewReader(body))
			got, err := r.embed(t.Context(), texts(2))
			require.NoError(t, err)
			require.Equal(t, [][]float32{{1, 2}, {3, 4}}, got.Vectors)
		})
	}
}

// wrongVectors: what is no vector does not pass, wherever it stands.
func (d *EmbedDialect) wrongVectors(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, text := range map[string]string{
		"null": `null`, "true": `true`, "an object": `{}`, "an object of numbers": `{"0":1,"1":2}`, "text": `"hello"`, "nothing": ``,
		"no numbers": `[]`, "list of an empty list": `[[]]`, "too few": `[1]`, "too many": `[1,2,3]`, "far too many": `[` + strings.Repeat("1,", 1<<17) + `1]`,
		"zeros": `[0,0]`, "zeros of all kinds": `[-0.0,0e9]`, "so small that they are zeros": `[1e-99,-1e-99]`,
		"a null in it": `[1,null]`, "a string in it": `[1,"2"]`, "a boolean in it": `[true,1]`, "an object in it": `[1,{}]`, "a list in it": `[1,[2]]`, "and the other way round": `[[1],2]`,
		"1e999": `[1,1e999]`, "-1e999": `[-1e999,1]`, "too large for float32": `[1,3.5e38]`, "NaN": `[1,NaN]`, "nan": `[nan,1]`, "Infinity": `[Infinity,1]`, "-Infinity": `[1,-Infinity]`,
		"octal": `[01,2]`, "hexadecimal": `[0x1,2]`, "no digits after the point": `[1.,2]`, "no digits before it": `[.5,2]`, "plus": `[+1,2]`, "two minuses": `[--1,2]`, "no exponent": `[1e,2]`,
		"comma at the end": `[1,2,]`, "comma in front": `[,1,2]`, "two commas": `[1,,2]`, "no comma": `[1 2]`, "not closed": `[1,2`, "closed otherwise": `[1,2}`, "closed twice": `[1,2]]`,
		"no base64": `"%%%%%%%%%%%="`, "base64 of seven bytes": `"AACAPwAAgA=="`, "base64 of five bytes": `"AACAPwA="`, "base64 without its end": `"AACAPwAAAM"`, "base64 in two lines": `"AACA\nPwAAAMA="`,
		"base64 of another alphabet": `"AACAPwAA-_8="`, "base64 of nothing": `""`, "base64 of NaN": Packed(1, nan), "base64 of infinity": Packed(-inf, 1), "base64 of zeros": Packed(0, 0),
		"base64 of one number": Packed(1), "base64 of three": Packed(1, 2, 3), "base64 of text": `"` + base64.StdEncoding.EncodeToString([]byte("1,2")) + `"`, "list of base64": `[` + Packed(1, 2) + `]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, items := range [][]string{{`[1,2]`, text}, {text, `[1,2]`}, {`[1,2]`, text, `[3,4]`}} {
				fault := d.fails(t, texts(len(items)), d.Answer(d.raw(items...)))
				require.Equal(t, llm.ClassAnswer, fault.Class, "%v", fault)
				require.Equal(t, events.CodeInternal, fault.Err.Code)
				require.False(t, fault.Err.Retryable)
				require.Less(t, len(fault.Error()), 400, "it does not repeat the answer")
			}
		})
	}
	if !d.Base64 {
		require.Equal(t, llm.ClassAnswer, d.fails(t, texts(2), d.Answer(d.raw(Packed(1, 2), Packed(3, 4)))).Class)
	}
}

// wrongCounts: there is one vector for each text.
func (d *EmbedDialect) wrongCounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ texts, vectors int }{{1, 0}, {2, 1}, {1, 2}, {2, 3}, {3, 6}, {40, 39}, {1, 5000}} {
		fault := d.fails(t, texts(c.texts), d.Answer(d.reply(vectorsOf(c.vectors, 2)...)))
		require.Equal(t, llm.ClassAnswer, fault.Class, "%d of %d: %v", c.vectors, c.texts, fault)
	}
}

// wrongIndexes: each vector says which text it is of, and no two say the same.
func (d *EmbedDialect) wrongIndexes(t *testing.T) {
	t.Parallel()
	if !d.Indexed {
		return
	}
	for _, indexes := range [][]string{
		{"", ""},
		{"0", ""},
		{"", "1"},
		{"0", "0"},
		{"1", "1"},
		{"1", "2"},
		{"0", "2"},
		{"-1", "0"},
		{"0", "null"},
		{"0", `"1"`},
		{"0", "0.5"},
		{"0", "1e400"},
		{"0", "9223372036854775808"},
		{"0", "[1]"},
		{"0", "true"},
		{"0", "4294967297"},
		{"00", "1"},
	} {
		reply := d.reply(vectorsOf(2, 2)...)
		for i, index := range indexes {
			reply.Items[i].Index = index
		}
		fault := d.fails(t, texts(2), d.Answer(reply))
		require.Equal(t, llm.ClassAnswer, fault.Class, "%v: %v", indexes, fault)
	}
}

// dimensions: what is asked for is what comes, or it is an error.
func (d *EmbedDialect) dimensions(t *testing.T) {
	t.Parallel()
	if len(d.Dimensions) == 0 {
		r := d.serve(t, d.says(d.reply(vectorsOf(2, 8)...)))
		call := texts(2)
		call.Dimensions = 8
		_, err := r.embed(t.Context(), call)
		fault := d.fault(t, err)
		require.Equal(t, llm.ClassUnsupported, fault.Class, "%v", fault)
		require.ErrorContains(t, fault, "dimensions")
		require.Zero(t, r.requests.Load(), "it was sent")
		return
	}
	for _, n := range d.Dimensions {
		call := texts(2)
		call.Dimensions = n
		want := vectorsOf(2, n)
		r, _ := d.recall(t, strings.NewReader(d.Answer(d.reply(want...))))
		got, err := r.embed(t.Context(), call)
		require.NoError(t, err)
		require.Equal(t, want, got.Vectors)
		for _, other := range []int{n - 1, n + 1, 2 * n} {
			fault := d.fails(t, call, d.Answer(d.reply(vectorsOf(2, other)...)))
			require.Contains(t, []llm.Class{llm.ClassUnsupported, llm.ClassAnswer}, fault.Class)
			require.ErrorContains(t, fault, "dimensions")
		}
	}
}
