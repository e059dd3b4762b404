package cohere_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
)

// onWire are two vectors as a type of output has them on the wire, and as they come out.
type onWire struct {
	wire [2]string
	want [][]float32
}

// quantised are those of all types.
func quantised() map[llm.OutputType]onWire {
	bits := [][]float32{bitsOf("00000000 11111111"), bitsOf("10000000 00000101")}
	bytes := [][]float32{{-128, 127, 0}, {1, -1, 0}}
	return map[llm.OutputType]onWire{
		llm.OutputInt8:    {[2]string{"[-128,127,0]", "[1,-1,-0]"}, bytes},
		llm.OutputUint8:   {[2]string{"[0,255,128]", "[129,127,128.0]"}, bytes},
		llm.OutputUbinary: {[2]string{"[0,255]", "[128,5]"}, bits},
		llm.OutputBinary:  {[2]string{"[-128,127]", "[0,-123]"}, bits},
	}
}

// bitsOf has 1 for each "1" and -1 for each "0".
func bitsOf(text string) (v []float32) {
	for _, c := range strings.ReplaceAll(text, " ", "") {
		v = append(v, float32(2*(c-'0'))-1)
	}
	return v
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	require.Len(t, quantised(), len(llm.OutputTypes()))
	for output, c := range quantised() {
		t.Run(string(output), func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: embeddings(7, string(output), c.wire[0], c.wire[1])}
			ask := &llm.EmbedCall{Model: "m", Texts: []string{"a", "b"}, Output: output}
			got, err := r.client(t).Embed(t.Context(), ask)
			require.NoError(t, err)
			require.Equal(t, c.want, got.Vectors)
			require.Equal(t, 7, got.PromptTokens)
			var sent struct {
				Types []llm.OutputType `json:"embedding_types"`
			}
			require.NoError(t, json.Unmarshal([]byte(r.sent), &sent))
			require.Equal(t, []llm.OutputType{output}, sent.Types)

			for body, says := range map[string]string{
				embeddings(1, "float", "[1,2]", "[3,4]"):               "it has no embeddings." + string(output),
				embeddings(1, string(output), c.wire[0]):               "1 vectors for 2 texts",
				embeddings(1, string(output), c.wire[0], "[1.5,2]"):    "vector 1 holds 1.5",
				embeddings(1, string(output), c.wire[0], "[256,1]"):    "vector 1 holds 256",
				embeddings(1, string(output), c.wire[0], "[-129]"):     "vector 1 holds -129",
				embeddings(1, string(output), c.wire[0], "[1e-9]"):     "vector 1 holds 1e-09",
				embeddings(1, string(output), c.wire[0], `"AACAPw=="`): "is missing",
				embeddings(1, string(output), c.wire[0], "[]"):         "vector 1 is empty",
				embeddings(1, string(output), c.wire[0], "[1]"):        "vector 1 has",
			} {
				r.body = body
				_, err := r.client(t).Embed(t.Context(), ask)
				fault := llm.FaultOf(err)
				require.Equal(t, llm.ClassAnswer, fault.Class, body)
				require.ErrorContains(t, fault, says, body)
			}
		})
	}
}

// TestOutputsOfTheirSign: an unsigned number where a signed one belongs, and the other way round, is no vector. Nor is one of zeros.
func TestOutputsOfTheirSign(t *testing.T) {
	t.Parallel()
	for output, vector := range map[llm.OutputType]string{
		llm.OutputInt8: "[128]", llm.OutputBinary: "[128]", llm.OutputUint8: "[-1]", llm.OutputUbinary: "[-1]",
	} {
		r := &recorder{body: embeddings(1, string(output), vector)}
		_, err := r.client(t).Embed(t.Context(), &llm.EmbedCall{Model: "m", Texts: []string{"a"}, Output: output})
		require.ErrorContains(t, err, "embeddings."+string(output)+": vector 0 holds")
	}
	for output, vector := range map[llm.OutputType]string{llm.OutputInt8: "[0,0]", llm.OutputUint8: "[128,128]"} {
		r := &recorder{body: embeddings(1, string(output), vector)}
		_, err := r.client(t).Embed(t.Context(), &llm.EmbedCall{Model: "m", Texts: []string{"a"}, Output: output})
		require.ErrorContains(t, err, "vector 0 is all zeros")
	}
	long := "[" + strings.Repeat("1,", 2048) + "1]"
	r := &recorder{body: embeddings(1, "binary", long)}
	_, err := r.client(t).Embed(t.Context(), &llm.EmbedCall{Model: "m", Texts: []string{"a"}, Output: llm.OutputBinary})
	require.ErrorContains(t, err, "vector 0 has 16392 dimensions; 16384 are the most")
}

// TestOutputBesideBase64: base64 is a form of floating point; what is quantised is not asked for in it.
func TestOutputBesideBase64(t *testing.T) {
	t.Parallel()
	r := &recorder{body: embeddings(1, "int8", "[1]")}
	c := r.client(t, cohere.Config{Base64: true})
	got, err := c.Embed(t.Context(), &llm.EmbedCall{Model: "m", Texts: []string{"a"}, Output: llm.OutputInt8})
	require.NoError(t, err)
	require.Equal(t, [][]float32{{1}}, got.Vectors)
	require.Contains(t, r.sent, `"embedding_types":["int8"]`)
}

// FuzzOutputs: whatever a server answers to a call for quantised vectors, it is a fault or vectors within the range of their type.
func FuzzOutputs(f *testing.F) {
	for output, c := range quantised() {
		f.Add(string(output), embeddings(1, string(output), c.wire[0], c.wire[1]))
	}
	all := quantised()
	f.Fuzz(func(t *testing.T, kind, body string) {
		output := llm.OutputType(kind)
		c, known := all[output]
		if !known {
			return
		}
		ask := &llm.EmbedCall{Model: "m", Texts: []string{"a", "b"}, Output: output}
		got, err := (&recorder{body: body}).client(t).Embed(t.Context(), ask)
		if err != nil {
			require.Nil(t, got)
			return
		}
		require.NoError(t, llmtest.CheckEmbedded(ask, got))
		packed := len(c.want[0]) > 3
		for _, v := range got.Vectors {
			for _, number := range v {
				require.True(t, number >= -128 && number <= 127 && number == float32(int(number)) && (!packed || number == 1 || number == -1), "%v", number)
			}
		}
	})
}
