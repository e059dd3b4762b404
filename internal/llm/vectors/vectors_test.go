package vectors_test

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
)

// numbers are spellings of numbers that are easy to read wrongly.
func numbers() []string {
	all := []string{
		"0", "-0", "0.0", "-0.0e5", "1", "-1", "0.1", "0.3", "1e1", "1E+2", "1e-2", "123456789", "0.000000000000000000000001234567", "1e22", "1e23", "1e-22",
		"1e-23", "1e38", "1e-38", "3.4028234663852886e38", "3.4028235e38", "1.17549435e-38", "1e-40", "1.4e-45", "1e-46", "7e-46", "1e-400", "-1e-400",
		"0e999999999999999999", "0e-9999", "16777217", "16777216.5", "16777217.000000001", "16777216.999999999", "1.00000005960464477539062500",
		"1.00000005960464477539062501", "1.00000005960464477539062499", "0.50000002980232238", "18446744073709551615", "18446744073709551616",
		"9999999999999999999", "99999999999999999999", "12345678.12345678", "1234567812345678", "0.12345678123456781234", "1.0", "1.00000000",
		"0.0000000000000000000000000000000000000000000001e46", strings.Repeat("9", 38), "0." + strings.Repeat("0", 30) + "1",
		"1" + strings.Repeat("0", 30) + "e-30", "0." + strings.Repeat("3", 400),
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same numbers each time
	for range 5000 {
		bits := random.Uint32()
		if f := math.Float32frombits(bits); !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) {
			all = append(all, strconv.FormatFloat(float64(f), 'g', -1, 32), strconv.FormatFloat(float64(f), 'e', -1, 64))
			// The middle between two, and what lies beside it.
			middle := (float64(f) + float64(math.Float32frombits(bits^1))) / 2
			for _, m := range []float64{middle, math.Nextafter(middle, 0), math.Nextafter(middle, 4)} {
				if math.Abs(m) < math.MaxFloat32 {
					all = append(all, strconv.FormatFloat(m, 'g', -1, 64))
				}
			}
		}
		all = append(all, strconv.FormatFloat(random.NormFloat64()/30, 'f', -1, 64), strconv.FormatFloat(random.NormFloat64()/30, 'f', 9, 64))
	}
	return all
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, text := range numbers() {
		want, err := strconv.ParseFloat(text, 32)
		require.NoError(t, err, text)
		var v vectors.Vector
		require.NoError(t, json.Unmarshal([]byte("[ "+text+" ,\n"+text+"]"), &v))
		require.NoError(t, v.Err, text)
		require.Equal(t, []float32{float32(want), float32(want)}, v.Values, text)
		require.Equal(t, math.Signbit(want), math.Signbit(float64(v.Values[0])), text)
	}
}

// packed is base64 of little-endian float32.
func packed(values ...float32) string {
	var raw []byte
	for _, f := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func TestVectors(t *testing.T) {
	t.Parallel()
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		text, says string
		want       []float32
	}{
		{`[1,2.5,-3]`, "", []float32{1, 2.5, -3}},
		{"\t[ 1 ,\r\n2 ] ", "", []float32{1, 2}},
		{`"` + packed(1, -2.5) + `"`, "", []float32{1, -2.5}},
		{`"` + strings.ReplaceAll(packed(math.Float32frombits(0x3fffffff)), "/", `\/`) + `"`, "", []float32{math.Float32frombits(0x3fffffff)}},
		{`[]`, "a vector is empty", nil},
		{`[ ]`, "a vector is empty", nil},
		{`""`, "a vector is empty", nil},
		{`null`, "is a null", nil},
		{`{}`, "is an object", nil},
		{`true`, "is a boolean", nil},
		{`5`, "is a number", nil},
		{`[null]`, "holds a null", nil},
		{`[1,null]`, "holds a null", nil},
		{`["1"]`, "holds a string", nil},
		{`[true]`, "holds a boolean", nil},
		{`[{}]`, "holds an object", nil},
		{`[[1]]`, "holds a list", nil},
		{`[1,"],[",2]`, "holds a string", nil},
		{`[1e39]`, "out of the range", nil},
		{`[-1e400]`, "out of the range", nil},
		{`[` + strings.Repeat("9", 400) + `]`, "out of the range", nil},
		{`"abc"`, "no base64", nil},
		{`"A\u0041=="`, "no base64", nil},
		{`"QUJD"`, "3 bytes", nil},
		{`"` + packed(1, inf) + `"`, "not finite", nil},
		{`"` + packed(-inf) + `"`, "not finite", nil},
		{`"` + packed(float32(math.NaN())) + `"`, "not finite", nil},
	} {
		var v vectors.Vector
		require.NoError(t, json.Unmarshal([]byte(c.text), &v), c.text)
		if c.says != "" {
			require.ErrorContains(t, v.Err, c.says, c.text)
			require.Empty(t, v.Values)
			continue
		}
		require.NoError(t, v.Err, c.text)
		require.Equal(t, c.want, v.Values, c.text)
	}
	for _, text := range []string{``, `[`, `[1`, `[1,]`, `[01]`, `[.5]`, `[1.]`, `[NaN]`, `[Infinity]`, `[0x1]`, `[1 2]`, `["a]`, `[1]]`} {
		var v vectors.Vector
		require.Error(t, json.Unmarshal([]byte(text), &v), text)
	}
	var answer struct{ A, B vectors.Vector }
	require.NoError(t, json.Unmarshal([]byte(`{"A":[1]}`), &answer))
	require.Zero(t, answer.B, "what is not there is empty, without an error")
}
