package cache

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
)

// The form of a cached vector, all little-endian:
//
//	0  4  magic "MLSV"
//	4  1  version of this form, 1
//	5  1  type of the numbers: 0 is float32
//	6  2  flags, 0
//	8  4  number of dimensions
//	12 4  CRC-32C of the numbers
//	16    the numbers
const (
	vectorMagic   = "MLSV"
	vectorVersion = 1
	headerSize    = 16
	maxDimensions = 1 << 16
)

// ErrCorrupt reports a cached value that is not, or no longer, what was written.
var ErrCorrupt = errors.New("cached vector is corrupt")

// EncodeVector writes a vector for a [Store].
func EncodeVector(v []float32) []byte {
	b := make([]byte, headerSize, headerSize+4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	copy(b, vectorMagic)
	b[4] = vectorVersion
	binary.LittleEndian.PutUint32(b[8:], uint32(len(v))) //nolint:gosec // a vector is far shorter
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(b[headerSize:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// DecodeVector reads what [EncodeVector] wrote. Whatever else it is given, it returns [ErrCorrupt].
func DecodeVector(b []byte) ([]float32, error) {
	if len(b) < headerSize || string(b[:4]) != vectorMagic {
		return nil, fmt.Errorf("%w: no header", ErrCorrupt)
	}
	if b[4] != vectorVersion || b[5] != 0 || b[6] != 0 || b[7] != 0 {
		return nil, fmt.Errorf("%w: version %d, type %d", ErrCorrupt, b[4], b[5])
	}
	n, numbers := binary.LittleEndian.Uint32(b[8:]), b[headerSize:]
	if n == 0 || n > maxDimensions || len(numbers) != int(n)*4 {
		return nil, fmt.Errorf("%w: %d dimensions in %d bytes", ErrCorrupt, n, len(numbers))
	}
	if crc32.Checksum(numbers, crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(b[12:]) {
		return nil, fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(numbers[4*i:]))
		if math.IsNaN(float64(v[i])) || math.IsInf(float64(v[i]), 0) {
			return nil, fmt.Errorf("%w: number %d is not finite", ErrCorrupt, i)
		}
	}
	return v, nil
}

// VectorKey is everything that a vector depends on. Two requests share a cached vector only if all of it is equal.
type VectorKey struct {
	// Caller separates tenants: nobody learns from a fast answer what somebody else asked.
	Caller string
	// Model is "provider/model".
	Model string
	// Source is where the provider is reached: the same name at another base URL is another model.
	Source string
	// Dimensions is the length asked for; 0 is the model's own.
	Dimensions int
	// Text is hashed, never written.
	Text string
}

// String returns the key under which the vector is kept: readable parts for the operator who looks into Redis, and a
// SHA-256 over all parts, each with its length in front, which alone decides.
func (k VectorKey) String() string {
	h := sha256.New()
	var size [8]byte
	for _, part := range []string{k.Caller, k.Model, k.Source, strconv.Itoa(k.Dimensions), k.Text} {
		binary.LittleEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	var b strings.Builder
	b.WriteString("mlsdm:emb:v1:")
	b.WriteString(k.Caller)
	b.WriteByte(':')
	b.WriteString(k.Model)
	b.WriteByte(':')
	b.WriteString(strconv.Itoa(k.Dimensions))
	b.WriteByte(':')
	b.WriteString(base64.RawURLEncoding.EncodeToString(h.Sum(nil)))
	return b.String()
}
