package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

// tensor is an entry of model.json.
type tensor struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	DType string `json:"dtype"`
}

// made is a package of the right shape. Its tensor number i is zeros, with i+1 as the last number.
func made(t *testing.T) map[string][]byte {
	t.Helper()
	list := []tensor{
		{"module/Embeddings_en", []int{8002, 256}, "float32"},
		{"other/Const", []int{3}, "int32"},
		{"x/AddTimingSignal/TimingSignal/ExpandDims_1", []int{1, 128}, "float32"},
		{"module/Encoder_en/hidden_layers/tanh_layer_0/weights", []int{512, 512}, "float32"},
		{"module/Encoder_en/hidden_layers/tanh_layer_0/bias", []int{512}, "float32"},
		{"x/Layer_0/TransformerLayer/dense/kernel/ConcatPartitions/concat", []int{256, 512}, "float32"},
		{"x/Layer_0/TransformerLayer/dense/bias/ConcatPartitions/concat", []int{512}, "float32"},
	}
	for layer, width := range []int{256, 512} {
		at := fmt.Sprintf("x/Layer_%d/TransformerLayer/", layer)
		for name, shape := range map[string][]int{
			"layer_prepostprocess/layer_norm/layer_norm_scale/ConcatPartitions/concat":     {width},
			"layer_prepostprocess/layer_norm/layer_norm_bias/ConcatPartitions/concat":      {width},
			"MultiheadAttention/qkv_transform_single/kernel/part_0":                        {1, 1, width, 3 * width},
			"MultiheadAttention/qkv_transform_single/bias/ConcatPartitions/concat":         {3 * width},
			"MultiheadAttention/output_transform_single/kernel/part_0":                     {1, 1, width, 512},
			"MultiheadAttention/output_transform_single/bias/ConcatPartitions/concat":      {512},
			"FFN/layer_prepostprocess/layer_norm/layer_norm_scale/ConcatPartitions/concat": {512},
			"FFN/layer_prepostprocess/layer_norm/layer_norm_bias/ConcatPartitions/concat":  {512},
			"FFN/conv1/Tensordot/Reshape_1":                                                {512, 1536},
			"FFN/conv1/bias/ConcatPartitions/concat":                                       {1536},
			"FFN/conv2/Tensordot/Reshape_1":                                                {1536, 512},
			"FFN/conv2/bias/ConcatPartitions/concat":                                       {512},
		} {
			list = append(list, tensor{at + name, shape, "float32"})
		}
	}
	var shard []byte
	for i, x := range list {
		n := 1
		for _, s := range x.Shape {
			n *= s
		}
		shard = append(shard, make([]byte, 4*(n-1))...)
		shard = binary.LittleEndian.AppendUint32(shard, math.Float32bits(float32(i+1)))
	}
	model, err := json.Marshal(map[string]any{"weightsManifest": []any{map[string]any{"paths": []string{"s1", "s2"}, "weights": list}}})
	require.NoError(t, err)
	return map[string][]byte{
		"package/dist/model.json": model, "package/dist/s1": shard[:1000], "package/dist/s2": shard[1000:],
		"package/dist/vocab.json": []byte(`[["�",0],["<s>",0],["</s>",0],["x",0],["y",0],["z",0],["▁the",-3.5],[":",null]]`),
	}
}

func TestConvert(t *testing.T) {
	t.Parallel()
	file, err := convert(made(t))
	require.NoError(t, err)
	m, err := weights.Read(file)
	require.NoError(t, err)
	require.Equal(t, weights.Piece{Text: "▁the", Score: -3.5}, m.Pieces[6])
	require.Equal(t, weights.Piece{Text: ":"}, m.Pieces[7], "no score is 0")
	require.InDelta(t, 1, m.Scale[8001]*float32(int8(m.Table[8001*256+255])), 1e-5)
	require.InDelta(t, 3, m.Frequencies[127], 0)
	require.InDelta(t, 4, m.Head.Scale[511]*float32(int8(m.Head.Columns(31)[511*16+15])), 1e-5)
	require.InDelta(t, 5, m.Head.Bias[511], 0)
	require.InDelta(t, 6, m.Layers[0].Skip.Scale[511]*float32(int8(m.Layers[0].Skip.Data[256*512-1])), 1e-5)
}

func TestConvertRefusesOtherPackages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(files map[string][]byte)
		says   string
	}{
		"no model":      {func(f map[string][]byte) { delete(f, "package/dist/model.json") }, "model.json"},
		"no shard":      {func(f map[string][]byte) { delete(f, "package/dist/s2") }, "is not in the shards"},
		"no vocabulary": {func(f map[string][]byte) { delete(f, "package/dist/vocab.json") }, "vocab.json"},
		"odd piece":     {func(f map[string][]byte) { f["package/dist/vocab.json"] = []byte(`[[1,2]]`) }, "piece 0"},
		"other names": {func(f map[string][]byte) {
			f["package/dist/model.json"] = bytes.ReplaceAll(f["package/dist/model.json"], []byte("conv2"), []byte("conv3"))
		}, "there is not one tensor /Layer_0/TransformerLayer/FFN/conv2/Tensordot/Reshape_1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := made(t)
			c.change(files)
			_, err := convert(files)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	archive := tar.NewWriter(zipped)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: "package/LICENSE", Size: 3, Mode: 0o644}))
	_, err := archive.Write([]byte("yes"))
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	require.NoError(t, zipped.Close())

	files, err := unpack(bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"package/LICENSE": []byte("yes")}, files)
	_, err = unpack(bytes.NewReader(b.Bytes()[:b.Len()/2]))
	require.ErrorContains(t, err, "unpack")
	_, err = unpack(strings.NewReader("no archive"))
	require.ErrorContains(t, err, "unpack")
}

func TestAnotherPackageIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := filepath.Join(dir, "package.tgz")
	require.NoError(t, os.WriteFile(from, []byte("something else"), 0o600))
	require.ErrorContains(t, run(t.Context(), from, []string{dir}), "not the one that is known")
	require.NoFileExists(t, filepath.Join(dir, "use-lite-512.bin"))
	require.ErrorContains(t, run(t.Context(), from, nil), "usage")
	require.Error(t, run(t.Context(), filepath.Join(dir, "missing"), []string{dir}))
}

func TestDownload(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/package" {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, "content")
	}))
	defer srv.Close()
	b, err := download(t.Context(), srv.URL+"/package")
	require.NoError(t, err)
	require.Equal(t, "content", string(b))
	_, err = download(t.Context(), srv.URL+"/other")
	require.ErrorContains(t, err, "status 404")
	_, err = download(t.Context(), "http://127.0.0.1:1/")
	require.ErrorContains(t, err, "download")
}
