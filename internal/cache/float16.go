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
	for _, f := range v {
		if len(to) < 2 { // never; it spares a check below
			return false
		}
		bits := math.Float32bits(f)
		magnitude := bits &^ (1 << 31)
		largest = max(largest, magnitude)
		var half uint32
		if magnitude >= normalHalf {
			// Half of the last place, less one bit unless the last digit is odd: what is carried rounds to even.
			half = (magnitude - halfRebias + 0xfff + magnitude>>13&1) >> 13
		} else {
			half = math.Float32bits(math.Float32frombits(magnitude)+math.Float32frombits(halfMagic)) - halfMagic
		}
		binary.LittleEndian.PutUint16(to, uint16(half|bits>>16&0x8000)) //nolint:gosec // what fits not is reported
		to = to[2:]
	}
	return largest < tooLargeHalf
}

// readHalves reads as many float16 as v has room for, and reports whether all are finite.
func readHalves(v []float32, numbers []byte) bool {
	largest := uint32(0)
	for i := range v {
		if len(numbers) < 2 { // never; it spares a check below
			return false
		}
		half := uint32(binary.LittleEndian.Uint16(numbers))
		magnitude := half & 0x7fff
		largest = max(largest, magnitude)
		// The multiplication puts the exponent right, also of numbers with fewer digits, and is exact.
		f := math.Float32frombits(magnitude<<13) * 0x1p112
		v[i] = math.Float32frombits(math.Float32bits(f) | half&0x8000<<16)
		numbers = numbers[2:]
	}
	return largest < 0x7c00
}
