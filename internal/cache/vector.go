package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"unsafe"
)

// The form of a cached vector, all little-endian:
//
//	0  4  magic "MLSV"
//	4  1  version of this form, 1
//	5  1  type of the numbers: 0 is float32, 1 is float16
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

// Precision is how exactly the numbers of a vector are kept.
type Precision uint8

// Precisions. Float16 takes half the room and keeps 11 bits of each number, which changes the cosine of two unit vectors by less than 1e-6.
const (
	Float32 Precision = 0
	Float16 Precision = 1
)

// Of a float32, as bits: its sign, and the least magnitude that is not finite.
const (
	sign     = 1 << 31
	infinite = 0x7f800000
)

// ErrCorrupt reports a cached vector that is not, or no longer, what was written.
var ErrCorrupt = errors.New("cached vector is corrupt")

// EncodeVector writes a vector of float32.
func EncodeVector(v []float32) []byte { return encodeVector(0, v, Float32) }

// encodeVector writes a vector behind room bytes. What does not fit into float16 is written as float32.
func encodeVector(room int, v []float32, p Precision) []byte {
	var all []byte
	if p == Float16 {
		all = make([]byte, room+headerSize+2*len(v))
		if !putHalves(all[room+headerSize:], v) {
			p = Float32
		}
	}
	if p == Float32 {
		all = make([]byte, room+headerSize+4*len(v))
		putFloats(all[room+headerSize:], v)
	}
	b := all[room:]
	copy(b, vectorMagic)
	b[4], b[5] = vectorVersion, byte(p)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(v))) //nolint:gosec // a vector is far shorter
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(b[headerSize:], castagnoli()))
	return all
}

// DecodeVector reads what [EncodeVector] wrote, or the same in float16. Whatever else it is given, it returns [ErrCorrupt]. The vector must
// not be changed: it may be a part of b.
func DecodeVector(b []byte) ([]float32, error) {
	if len(b) < headerSize || string(b[:4]) != vectorMagic {
		return nil, fmt.Errorf("%w: no header", ErrCorrupt)
	}
	p, size := Precision(b[5]), 4
	if p == Float16 {
		size = 2
	}
	if b[4] != vectorVersion || p > Float16 || b[6] != 0 || b[7] != 0 {
		return nil, fmt.Errorf("%w: version %d, type %d", ErrCorrupt, b[4], p)
	}
	n, numbers := binary.LittleEndian.Uint32(b[8:]), b[headerSize:]
	if n == 0 || n > maxDimensions || len(numbers) != int(n)*size {
		return nil, fmt.Errorf("%w: %d dimensions in %d bytes", ErrCorrupt, n, len(numbers))
	}
	if crc32.Checksum(numbers, castagnoli()) != binary.LittleEndian.Uint32(b[12:]) {
		return nil, fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	v, here := viewFloats(numbers, p)
	if !here {
		v = make([]float32, n)
	}
	var ok bool
	switch {
	case here:
		ok = finite(v)
	case p == Float16:
		ok = readHalves(v, numbers)
	default:
		ok = readFloats(v, numbers)
	}
	if !ok {
		return nil, fmt.Errorf("%w: a number is not finite", ErrCorrupt)
	}
	return v, nil
}

// viewFloats returns the numbers as they lie in memory, if they lie there as the processor has them: a vector of 1536 is found in less than
// the time that it takes to copy it, and again and again.
func viewFloats(numbers []byte, p Precision) (v []float32, ok bool) {
	at := unsafe.Pointer(unsafe.SliceData(numbers)) //nolint:gosec // it is looked at below
	if p != Float32 || uintptr(at)%unsafe.Alignof(float32(0)) != 0 || binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, false
	}
	return unsafe.Slice((*float32)(at), len(numbers)/4), true //nolint:gosec // read only
}

// finite reports whether all numbers are.
func finite(v []float32) bool {
	largest := uint32(0)
	for len(v) >= 4 {
		largest = max(largest, math.Float32bits(v[0])&^sign, math.Float32bits(v[1])&^sign, math.Float32bits(v[2])&^sign, math.Float32bits(v[3])&^sign)
		v = v[4:]
	}
	for _, f := range v {
		largest = max(largest, math.Float32bits(f)&^sign)
	}
	return largest < infinite
}

// putFloats writes v. It and its like do several numbers in one turn, which is twice as quick; the conditions are such that the compiler
// needs to check nothing within.
func putFloats(to []byte, v []float32) {
	for len(v) >= 4 && len(to) >= 16 {
		binary.LittleEndian.PutUint64(to[0:8], uint64(math.Float32bits(v[0]))|uint64(math.Float32bits(v[1]))<<32)
		binary.LittleEndian.PutUint64(to[8:16], uint64(math.Float32bits(v[2]))|uint64(math.Float32bits(v[3]))<<32)
		v, to = v[4:], to[16:]
	}
	for i, f := range v {
		binary.LittleEndian.PutUint32(to[4*i:], math.Float32bits(f))
	}
}

// readFloats reads as many numbers as v has room for, and reports whether all are finite.
func readFloats(v []float32, numbers []byte) bool {
	largest := uint32(0)
	for len(v) >= 4 && len(numbers) >= 16 {
		a, b := binary.LittleEndian.Uint64(numbers[0:8]), binary.LittleEndian.Uint64(numbers[8:16])
		b0, b1, b2, b3 := uint32(a), uint32(a>>32), uint32(b), uint32(b>>32) //nolint:gosec // the halves of it
		v[0], v[1] = math.Float32frombits(b0), math.Float32frombits(b1)
		v[2], v[3] = math.Float32frombits(b2), math.Float32frombits(b3)
		largest = max(largest, b0&^sign, b1&^sign, b2&^sign, b3&^sign)
		v, numbers = v[4:], numbers[16:]
	}
	for i := range v {
		bits := binary.LittleEndian.Uint32(numbers[4*i:])
		v[i], largest = math.Float32frombits(bits), max(largest, bits&^sign)
	}
	return largest < infinite
}
