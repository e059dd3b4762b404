package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

// unpack returns the files of a package by their names.
func unpack(tgz io.Reader) (map[string][]byte, error) {
	unzipped, err := gzip.NewReader(tgz)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	files := map[string][]byte{}
	archive := tar.NewReader(io.LimitReader(unzipped, maxPackage))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("unpack: %w", err)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", header.Name, err)
		}
	}
}

// manifest is the part of model.json that says where the weights are: one behind the other in the shards.
type manifest struct {
	WeightsManifest []struct {
		Paths   []string
		Weights []struct {
			Name  string
			Shape []int
			DType string
		}
	}
}

// tensors reads the weights by their names.
func tensors(files map[string][]byte) (map[string][]float32, error) {
	var m manifest
	if err := json.Unmarshal(files["package/dist/model.json"], &m); err != nil {
		return nil, fmt.Errorf("model.json: %w", err)
	}
	all := map[string][]float32{}
	for _, group := range m.WeightsManifest {
		var b []byte
		for _, path := range group.Paths {
			b = append(b, files["package/dist/"+path]...)
		}
		for _, w := range group.Weights {
			n := 1
			for _, s := range w.Shape {
				n *= s
			}
			if 4*n > len(b) {
				return nil, fmt.Errorf("%s is not in the shards", w.Name)
			}
			if w.DType == "float32" {
				all[w.Name] = floats(b[:4*n])
			}
			b = b[4*n:] // all others are int32
		}
	}
	return all, nil
}

// floats reads little-endian numbers.
func floats(b []byte) []float32 {
	list := make([]float32, len(b)/4)
	for i := range list {
		list[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return list
}

// pieces reads the vocabulary: pairs of a text and a score. A few pieces with a colon have no score there; for the package that is 0.
func pieces(vocab []byte) ([]weights.Piece, error) {
	var pairs [][2]json.RawMessage
	if err := json.Unmarshal(vocab, &pairs); err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	list := make([]weights.Piece, len(pairs))
	for i, p := range pairs {
		if err := errors.Join(json.Unmarshal(p[0], &list[i].Text), json.Unmarshal(p[1], &list[i].Score)); err != nil {
			return nil, fmt.Errorf("vocab.json: piece %d: %w", i, err)
		}
	}
	return list, nil
}

// convert makes the file of weights of the package's files.
func convert(files map[string][]byte) ([]byte, error) {
	all, err := tensors(files)
	if err != nil {
		return nil, err
	}
	var m weights.Model
	if m.Pieces, err = pieces(files["package/dist/vocab.json"]); err != nil {
		return nil, err
	}
	f := finder{all: all}
	m.Scale, m.Table = weights.NewTable(weights.Narrow, f.find("module/Embeddings_en", weights.Rows*weights.Narrow))
	m.Frequencies = f.find("AddTimingSignal/TimingSignal/ExpandDims_1", weights.Narrow/2)
	width := weights.Narrow
	for i := range m.Layers {
		l, at := &m.Layers[i], fmt.Sprintf("/Layer_%d/TransformerLayer/", i)
		l.Before = f.norm(at+"layer_prepostprocess/layer_norm/layer_norm_", width)
		l.QKV = f.matrix(at+"MultiheadAttention/qkv_transform_single/", "kernel/part_0", width, 3*width)
		l.Out = f.matrix(at+"MultiheadAttention/output_transform_single/", "kernel/part_0", width, weights.Wide)
		if width != weights.Wide {
			l.Skip = f.matrix(at+"dense/", "kernel/ConcatPartitions/concat", width, weights.Wide)
		}
		l.Between = f.norm(at+"FFN/layer_prepostprocess/layer_norm/layer_norm_", weights.Wide)
		l.Up = f.matrix(at+"FFN/conv1/", "Tensordot/Reshape_1", weights.Wide, weights.Inner)
		l.Down = f.matrix(at+"FFN/conv2/", "Tensordot/Reshape_1", weights.Inner, weights.Wide)
		width = weights.Wide
	}
	head := "module/Encoder_en/hidden_layers/tanh_layer_0/"
	m.Head = weights.NewMatrix(weights.Wide, f.find(head+"weights", weights.Wide*weights.Wide), f.find(head+"bias", weights.Wide))
	if f.err != nil {
		return nil, f.err
	}
	return m.Append(nil)
}

// finder finds tensors by how their names end. After an error it returns zeros.
type finder struct {
	all map[string][]float32
	err error
}

// find returns the only tensor whose name ends so.
func (f *finder) find(end string, n int) []float32 {
	var found [][]float32
	for name, t := range f.all {
		if strings.HasSuffix(name, end) {
			found = append(found, t)
		}
	}
	if len(found) != 1 || len(found[0]) != n {
		f.err = errors.Join(f.err, fmt.Errorf("there is not one tensor %s with %d numbers", end, n))
		return make([]float32, n)
	}
	return found[0]
}

func (f *finder) norm(at string, width int) weights.Norm {
	const end = "/ConcatPartitions/concat"
	return weights.Norm{Scale: f.find(at+"scale"+end, width), Bias: f.find(at+"bias"+end, width)}
}

func (f *finder) matrix(at, kernel string, in, out int) weights.Matrix {
	return weights.NewMatrix(in, f.find(at+kernel, in*out), f.find(at+"bias/ConcatPartitions/concat", out))
}
