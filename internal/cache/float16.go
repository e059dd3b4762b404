package cache

import (
	"encoding/binary"
	"math"
)

// Limits of float16 (IEEE 754 binary16), as bits of a float32.
const (
	tooLargeHalf = 0x477ff000 // 65520: from here on, it is rounded to infinity
	normalHalf   = 0x38800000 // 2^-14: below, a float16 has fewer digits
	halfMagic    = 0x3f000000 // 0.5: what is added to it is rounded to multiples of 2^-24, the least float16
	halfRebias   = (127 - 15) << 23
)

// putHalves writes v as float16, each number rounded to the nearest, ties to even. It reports whether all fit.
func putHalves(to []byte, v []float32) bool {
	largest := uint32(0)
	for len(v) >= 4 && len(to) >= 8 {
		h0, m0 := toHalf(v[0])
		h1, m1 := toHalf(v[1])
		h2, m2 := toHalf(v[2])
		h3, m3 := toHalf(v[3])
		binary.LittleEndian.PutUint64(to, uint64(h0)|uint64(h1)<<16|uint64(h2)<<32|uint64(h3)<<48)
		largest = max(largest, m0, m1, m2, m3)
		v, to = v[4:], to[8:]
	}
	for i, f := range v {
		half, magnitude := toHalf(f)
		binary.LittleEndian.PutUint16(to[2*i:], uint16(half)) //nolint:gosec // what fits not is reported
		largest = max(largest, magnitude)
	}
	return largest < tooLargeHalf
}

// toHalf returns the nearest float16, of 16 bits if it fits, and the magnitude of f, both as bits.
func toHalf(f float32) (half, magnitude uint32) {
	bits := math.Float32bits(f)
	magnitude = bits &^ sign
	if magnitude >= normalHalf {
		// Half of the last place, less one bit unless the last digit is odd: what is carried rounds to even.
		half = (magnitude - halfRebias + 0xfff + magnitude>>13&1) >> 13
	} else {
		half = math.Float32bits(math.Float32frombits(magnitude)+math.Float32frombits(halfMagic)) - halfMagic
	}
	return half&0xffff | bits>>16&0x8000, magnitude
}

// readHalves reads as many float16 as v has room for, and reports whether all are finite.
func readHalves(v []float32, numbers []byte) bool {
	largest := uint32(0)
	for len(v) >= 4 && len(numbers) >= 8 {
		all := binary.LittleEndian.Uint64(numbers)
		h0, h1, h2, h3 := uint32(all&0xffff), uint32(all>>16&0xffff), uint32(all>>32&0xffff), uint32(all>>48)
		v[0], v[1], v[2], v[3] = fromHalf(h0), fromHalf(h1), fromHalf(h2), fromHalf(h3)
		largest = max(largest, h0&0x7fff, h1&0x7fff, h2&0x7fff, h3&0x7fff)
		v, numbers = v[4:], numbers[8:]
	}
	for i := range v {
		half := uint32(binary.LittleEndian.Uint16(numbers[2*i:]))
		v[i], largest = fromHalf(half), max(largest, half&0x7fff)
	}
	return largest < 0x7c00
}

// fromHalf returns the number of a finite float16. The multiplication puts the exponent right, also of numbers with fewer digits, and is
// exact.
func fromHalf(half uint32) float32 {
	return math.Float32frombits(math.Float32bits(math.Float32frombits(half&0x7fff<<13)*0x1p112) | half&0x8000<<16)
}
