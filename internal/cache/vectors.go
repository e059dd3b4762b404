package cache

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"time"
)

// VectorKey is everything that a vector depends on. Two requests share a cached vector only if all of it is equal.
type VectorKey struct {
	// Caller separates tenants: nobody learns from a fast answer what somebody else asked.
	Caller string
	// Model is what the vectors are of, such as "provider/model", and Revision which one of it.
	Model, Revision string
	// Source is where the provider is reached, if the same name at another place is another model.
	Source string
	// Dimensions is the length asked for; 0 is the model's own.
	Dimensions int
	// InputType says what the texts are for: queries, documents…
	InputType string
	// Raw says that the vectors are as the model makes them, not of length one.
	Raw bool
	// Precision is how the vectors are kept.
	Precision Precision
	// Text is hashed, never written. [Namespace.Vectors] takes no notice of it.
	Text string
}

// keyVersion begins each key: keys that are made otherwise begin otherwise.
const keyVersion = "v2:"

// String returns the key of Text in its namespace: readable parts for the operator who looks into Redis, and a SHA-256 over all parts,
// each with its length in front, which alone decides.
func (k VectorKey) String() string {
	v := k.prepare()
	return v.key(k.Text)
}

// prepare does once what the keys of many texts have in common.
func (k VectorKey) prepare() Vectors {
	h := sha256.New()
	var number [8]byte
	word := func(n int) {
		binary.LittleEndian.PutUint64(number[:], uint64(n)) //nolint:gosec // as bits
		h.Write(number[:])
	}
	for _, part := range []string{k.Caller, k.Model, k.Revision, k.Source, k.InputType} {
		word(len(part))
		h.Write([]byte(part))
	}
	word(k.Dimensions)
	word(int(k.Precision))
	raw := 0
	if k.Raw {
		raw = 1
	}
	word(raw)

	v := Vectors{dimensions: k.Dimensions, precision: k.Precision}
	v.hashed = h.Sum(make([]byte, 0, 512))
	readable := make([]byte, 0, 128)
	readable = append(append(append(readable, keyVersion...), k.Caller...), ':')
	readable = append(readable, k.Model...)
	if k.Revision != "" {
		readable = append(append(readable, '@'), k.Revision...)
	}
	readable = strconv.AppendInt(append(readable, ':'), int64(k.Dimensions), 10)
	v.readable = append(readable, ':')
	return v
}

// Vectors keeps the vectors of texts that have all of a [VectorKey] in common but the text. It is for one request: it must not be used
// by several goroutines at once. Of a nil namespace it is always empty.
type Vectors struct {
	space      *Namespace
	dimensions int
	precision  Precision
	hashed     []byte // the hash of what all have in common; a text is put behind it
	readable   []byte // how all keys begin; a hash is put behind it
}

// Vectors returns the vectors of a key, whatever its text.
func (n *Namespace) Vectors(key VectorKey) *Vectors {
	v := key.prepare()
	v.space = n
	return &v
}

// Key returns the key of a text in the namespace.
func (v *Vectors) Key(text string) string { return v.key(text) }

func (v *Vectors) key(text string) string {
	v.hashed = append(v.hashed[:sha256.Size], text...)
	sum := sha256.Sum256(v.hashed)
	common := len(v.readable)
	v.readable = base64.RawURLEncoding.AppendEncode(v.readable, sum[:])
	key := string(v.readable)
	v.readable = v.readable[:common]
	return key
}

func (v *Vectors) keys(texts []string) []string {
	keys := make([]string, len(texts))
	for i, text := range texts {
		keys[i] = v.key(text)
	}
	return keys
}

// GetMulti returns the vectors of texts, in their order, and how many there are; nil is where there is none. A vector that cannot be read, or
// has not the length that was asked for, is none. The vectors must not be changed: others may be given the same.
func (v *Vectors) GetMulti(ctx context.Context, texts []string) (vectors [][]float32, found int) {
	vectors = make([][]float32, len(texts))
	if v.space == nil {
		return vectors, 0
	}
	keys := v.keys(texts)
	for i, value := range v.space.GetMulti(ctx, keys) {
		if value == nil {
			continue
		}
		vector, err := DecodeVector(value)
		if err != nil || v.dimensions > 0 && len(vector) != v.dimensions {
			v.space.counters.corrupt.Add(1)
			continue
		}
		vectors[i] = vector
		found++
	}
	return vectors, found
}

// SetMulti keeps the vectors of texts, which are as many; where a vector is nil, there is none to keep. It copies what it keeps.
func (v *Vectors) SetMulti(ctx context.Context, texts []string, vectors [][]float32) {
	n := v.space
	if n == nil || len(texts) == 0 {
		return
	}
	keys := make([]string, 0, len(texts))
	entries, sealed := make([]entry, 0, len(texts)), make([][]byte, 0, len(texts))
	now := time.Now()
	for i, vector := range vectors {
		if len(vector) == 0 || len(vector) > maxDimensions {
			continue
		}
		whole := encodeVector(sealSize, vector, v.precision)
		keys, sealed = append(keys, v.key(texts[i])), append(sealed, whole)
		entries = append(entries, entry{value: whole[sealSize:], fresh: now.Add(spread(n.options.TTL)).UnixMilli()})
	}
	if len(keys) > 0 {
		n.write(ctx, keys, entries, sealed)
	}
}
