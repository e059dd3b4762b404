package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// embedder answers embed requests with the vectors that vector makes of each text.
func embedder(t *testing.T, space func() string, vector func(text string) events.Embedding) *bustest.Server {
	t.Helper()
	return serve(t, events.OpEmbed, func(_ context.Context, r *bus.Request) error {
		var req events.EmbeddingsRequest
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
		resp := events.EmbeddingsResponse{Object: "list", Model: "a/m", Usage: events.EmbeddingsUsage{PromptTokens: len(req.Input), TotalTokens: len(req.Input)}}
		for i, text := range req.Input {
			d := vector(text)
			d.Object, d.Index = "embedding", i
			d.Embedding.Base64 = req.EncodingFormat == events.EncodingBase64
			if d.Error != nil {
				resp.Failed++
			}
			resp.Data = append(resp.Data, d)
		}
		if space != nil {
			resp.Space = &events.EmbeddingSpace{ID: space(), Model: "m", Dimensions: len(resp.Data[0].Embedding.Values)}
		}
		return r.Respond(marshal(t, resp))
	})
}

// numberOf makes [N, 1] of "tN", cuts what ends in "…", and refuses everything else.
func numberOf(text string) events.Embedding {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(text, "t"), "…"))
	if err != nil {
		return events.Embedding{Error: &events.ErrorBody{Code: events.CodeContentRejected, Message: "it is refused"}}
	}
	d := events.Embedding{Embedding: events.Vector{Values: []float32{float32(n), 1}}}
	if strings.HasSuffix(text, "…") {
		d.Truncated = &events.Truncation{Tokens: 9, Used: 5}
	}
	return d
}

func TestEmbedTexts(t *testing.T) {
	t.Parallel()
	s := embedder(t, func() string { return "m/2" }, numberOf)
	out, errs, code := atServer(t.Context(), s, "", "embed", "t1", "t2…", "--input-type", "query")
	require.Zero(t, code, errs)
	require.Equal(t, "[+1.0000 +1.0000 … 2 values]  t1\n[+2.0000 +1.0000 … 2 values]  t2…  (only 5 of its 9 tokens were read)\na/m, space m/2, 2 tokens; --json prints whole vectors\n", out)

	out, errs, code = atServer(t.Context(), s, "t1\n\nbad\n", "embed")
	require.Equal(t, 1, code)
	require.Contains(t, out, "[no vector: it is refused]  bad\n")
	require.Contains(t, errs, "1 of 2 texts have no vector")
	_, _, code = atServer(t.Context(), s, "t1\nbad\n", "embed", "--json", "--skip-errors")
	require.Zero(t, code)
}

// corpusFile writes lines into a file.
func corpusFile(t *testing.T, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	return path
}

func TestEmbedFile(t *testing.T) {
	t.Parallel()
	s := embedder(t, func() string { return "m/2" }, numberOf)
	in := corpusFile(t, "in.jsonl", `{"body":"t1","id":"a"}`, ``, `{"body":"bad","id":7}`, `{"body":"t3…","id":"c"}`)
	name := filepath.Join(t.TempDir(), "out.jsonl")
	out, errs, code := atServer(t.Context(), s, "", "embed", "--file", in, "--field", "body", "--id-field", "id", "--out", name)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "1 of 3 texts have no vector: "+name+".errors.jsonl says which, and why")
	require.Equal(t, name+": 2 vectors of 2 numbers, 3 tokens, by a/m in the space m/2\n1 texts are longer than the model reads, and their ends were not read\n1 lines are empty, and have no row\n", out)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, []string{
		`{"index":0,"id":"a","embedding":[1,1]}`,
		`{"index":1,"id":7,"error":{"code":"content_rejected","message":"it is refused","retryable":false}}`,
		`{"index":2,"id":"c","embedding":[3,1],"truncated":{"tokens":9,"used":5}}`, "",
	}, strings.Split(string(text), "\n"))

	_, errs, code = atServer(t.Context(), s, "", "embed", "--file", in, "--field", "body", "--out", name)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the file is there already\n--overwrite replaces it")
	out, errs, code = atServer(t.Context(), s, "", "embed", "--file", in, "--field", "body", "--out", name, "--overwrite", "--skip-errors", "--json")
	require.Zero(t, code, errs)
	require.Empty(t, errs)
	require.JSONEq(t, `{"out":"`+name+`","texts":3,"failed":1,"truncated":1,"empty_lines":1,"tokens":3,"model":"a/m","space":"m/2","dimensions":2,"errors":"`+name+`.errors.jsonl"}`, out)

	// From the standard input, as it is without --file.
	name = filepath.Join(t.TempDir(), "matrix")
	out, errs, code = atServer(t.Context(), s, "t5\nt6\n", "embed", "--out", name, "--format", "npy", "--quiet")
	require.Zero(t, code, errs)
	require.Empty(t, out+errs)
	matrix, err := os.ReadFile(name)
	require.NoError(t, err)
	require.InDelta(t, 6, math.Float32frombits(binary.LittleEndian.Uint32(matrix[128+8:])), 0)
}

// A run that failed is gone on with, and one whose space has changed is not.
func TestEmbedFileGoesOn(t *testing.T) {
	t.Parallel()
	var changed atomic.Bool
	space := func() string {
		if changed.Load() {
			return "other/2"
		}
		return "m/2"
	}
	s := embedder(t, space, func(text string) events.Embedding {
		if text == "t150" {
			changed.Store(true)
		}
		return numberOf(text)
	})
	lines := make([]string, 300)
	for i := range lines {
		lines[i] = "t" + strconv.Itoa(i)
	}
	in, name := corpusFile(t, "in.txt", lines...), filepath.Join(t.TempDir(), "out.npy")
	args := []string{"embed", "--file", in, "--out", name, "--batch", "10", "--parallel", "1"}
	_, errs, code := atServer(t.Context(), s, "", args...)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the vectors lie in another space now: other/2")
	require.Contains(t, errs, "the same command goes on behind them")
	require.NoFileExists(t, name)
	_, errs, code = atServer(t.Context(), s, "", args...)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "goes on behind line 150: 150 texts are done")
	require.Contains(t, errs, "the vectors lie in another space now")

	changed.Store(false)
	_, errs, code = atServer(t.Context(), s, "", append(args, "--model", "x/y")...)
	require.Equal(t, 1, code)
	require.Contains(t, errs, `--model was "", and is "x/y" now`)
	edited := corpusFile(t, "in.txt", append([]string{"t9"}, lines[1:]...)...)
	_, errs, code = atServer(t.Context(), s, "", "embed", "--file", edited, "--out", name)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the input is not what it was")
	require.Contains(t, errs, "--overwrite")

	require.NoError(t, os.WriteFile(in, []byte(strings.Replace(strings.Join(lines, "\n"), "t150", "t999", 1)), 0o600))
	_, errs, code = atServer(t.Context(), s, "", args...)
	require.Zero(t, code, errs)
	matrix, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Len(t, matrix, 128+300*8)
	require.InDelta(t, 299, math.Float32frombits(binary.LittleEndian.Uint32(matrix[128+299*8:])), 0)
}

// Ctrl-C ends the work with what is done, and says how to go on.
func TestEmbedFileInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := embedder(t, nil, func(text string) events.Embedding {
		if text == "t5000" {
			cancel()
		}
		return numberOf(text)
	})
	lines := make([]string, 20_000)
	for i := range lines {
		lines[i] = "t" + strconv.Itoa(i)
	}
	in, name := corpusFile(t, "in.txt", lines...), filepath.Join(t.TempDir(), "out.npy")
	_, errs, code := atServer(ctx, s, "", "embed", "--file", in, "--out", name)
	require.Equal(t, 130, code, errs)
	require.Contains(t, errs, "interrupted; ")
	out, errs, code := atServer(t.Context(), s, "", "embed", "--file", in, "--out", name)
	require.Zero(t, code, errs)
	require.Contains(t, out, "20,000 vectors of 2 numbers")
	matrix, err := os.ReadFile(name)
	require.NoError(t, err)
	for i := range lines {
		require.Equal(t, float32(i), math.Float32frombits(binary.LittleEndian.Uint32(matrix[128+8*i:]))) //nolint:testifylint // it is exact
	}
}

func TestEmbedFileUsage(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	for want, args := range map[string][]string{
		"--file needs --out":                    {"--file", "x.txt"},
		"does not say in which format":          {"--file", "x.txt", "--out", "x.csv"},
		"texts on the command line":             {"a", "--out", "x.npy"},
		"are for JSON lines":                    {"--file", "x.txt", "--field", "a", "--out", "x.npy"},
		"--batch is 0":                          {"--file", "x.txt", "--batch", "0", "--out", "x.npy"},
		"--parallel is 65":                      {"--file", "x.txt", "--parallel", "65", "--out", "x.npy"},
		"dimensions is -1":                      {"--file", "x.txt", "--dimensions=-1", "--out", "x.npy"},
		"--input-type must be one of":           {"--input-type", "maybe", "x"},
		"--format must be one of \"\",\"npy\",": {"--format", "csv", "--out", "x", "--file", "y"},
	} {
		_, errs, code := atServer(t.Context(), s, "", append([]string{"embed"}, args...)...)
		require.Equal(t, 2, code, errs)
		require.Contains(t, errs, want)
	}
	_, errs, code := atServer(t.Context(), s, "", "embed", "--file", filepath.Join(t.TempDir(), "none"), "--out", "x.npy")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "no such file")
}

func TestProgress(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	p := &progress{size: 1000, begun: begun, first: vectorfile.State{Rows: 1000, Input: corpus.Position{Bytes: 200}}}
	s := vectorfile.State{Rows: 3000, Tokens: 12345, Failed: 2, Input: corpus.Position{Bytes: 600}}
	require.Equal(t, "60% · 3,000 texts · 200 a second · 12,345 tokens · 2 failed · 10s left", p.line(s, begun.Add(10*time.Second)))
	require.Equal(t, "["+strings.Repeat("=", 14)+strings.Repeat(" ", 10)+"] ", bar(s.Input.Bytes, p.size))
	p.size = 0
	require.Equal(t, "3,000 texts · 200 a second · 12,345 tokens · 2 failed", p.line(s, begun.Add(10*time.Second)))
	require.Empty(t, bar(s.Input.Bytes, p.size))
	p.size = 500 // it has grown since
	require.Contains(t, p.line(s, begun.Add(time.Second)), "100% ")
}

func TestSimilarity(t *testing.T) {
	t.Parallel()
	s := embedder(t, nil, func(text string) events.Embedding {
		vectors := map[string][]float32{"a": {2, 0}, "b": {0, 3}, "c": {1, 1}, "d": {-5, 0}, "zero": {0, 0}}
		if v, ok := vectors[text]; ok {
			return events.Embedding{Embedding: events.Vector{Values: v}}
		}
		return events.Embedding{Error: &events.ErrorBody{Code: events.CodeInvalidArgument, Message: "it is too long"}}
	})
	out, errs, code := atServer(t.Context(), s, "", "similarity", "a", "b", "c", "d", "a")
	require.Zero(t, code, errs)
	require.Equal(t, " 1.000  a\n 0.707  c\n 0.000  b\n-1.000  d\nCosine with \"a\", 1 is the same: a/m, space a/m/2\n", out)
	out, errs, code = atServer(t.Context(), s, "", "similarity", "--json", "a", "c")
	require.Zero(t, code, errs)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.InDelta(t, math.Sqrt2/2, got["similarity"], 1e-9)
	delete(got, "similarity")
	require.Equal(t, map[string]any{"model": "a/m", "space": "a/m/2"}, got)
	out, _, code = atServer(t.Context(), s, "", "similarity", "--json", "a", "b", "c")
	require.Zero(t, code)
	require.Contains(t, out, `"others":[{"text":"c","similarity":0.707`)
	for text, want := range map[string]string{"zero": "a vector is zero", "x": `there is no vector of "x": it is too long`} {
		_, errs, code = atServer(t.Context(), s, "", "similarity", "a", text)
		require.Equal(t, 1, code)
		require.Contains(t, errs, want)
	}
	_, _, code = atServer(t.Context(), s, "", "similarity", "alone")
	require.Equal(t, 2, code)
}
