package vectors

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
)

// Errors of numbers.
var (
	errNoNumber  = errors.New("it holds something else than a number")
	errNoInteger = errors.New("a number is not a whole one")
	errInfinite  = errors.New("a number is not finite as float32")
)

// shape checks that a JSON number begins the buffer, of which longest+1 bytes or all that are left have come, and returns its length.
func (s *Scanner) shape() (int, error) {
	b := s.buf[s.at:s.end]
	i := 0
	if i < len(b) && b[i] == '-' {
		i++
	}
	whole := digits(b[i:])
	if whole > 1 && b[i] == '0' {
		return 0, errSyntax
	}
	if i += whole; whole == 0 {
		return 0, s.broken(i, len(b))
	}
	if i < len(b) && b[i] == '.' {
		n := digits(b[i+1:])
		if i += 1 + n; n == 0 {
			return 0, s.broken(i, len(b))
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		n := digits(b[i:])
		if i += n; n == 0 {
			return 0, s.broken(i, len(b))
		}
	}
	if i > longest {
		return 0, errLong
	}
	return i, nil
}

// broken is the error of a number that breaks off at a place of what has come.
func (s *Scanner) broken(at, come int) error {
	if at < come {
		return errSyntax
	}
	if come > longest {
		return errLong
	}
	return s.ended()
}

// digits counts the digits that begin a text.
func digits(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
}

// float reads the number that begins the buffer, exactly as [strconv.ParseFloat] would read it for 32 bits.
//
// The digits and the power of ten are multiplied as float64, which is wrong by some units of its last place at most. That cannot change
// which float32 is the nearest, unless the product lies as near to the middle between two: those few are left to package strconv, and so
// is all that is very small, very large or very long.
func (s *Scanner) float() (float32, error) {
	const most = 19 // digits that are sure to fit
	b := s.buf[s.at:s.end]
	i := 0
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		i = 1
	}
	var mantissa uint64
	begin := i
	for i < len(b) && b[i]-'0' <= 9 {
		mantissa = 10*mantissa + uint64(b[i]-'0')
		i++
	}
	count := i - begin
	if count == 0 || count > 1 && b[begin] == '0' {
		return s.slow()
	}
	power := 0
	if i < len(b) && b[i] == '.' {
		i++
		fraction := i
		for len(b)-i >= 8 {
			word := binary.LittleEndian.Uint64(b[i:])
			if !eightDigits(word) {
				break
			}
			mantissa = 100_000_000*mantissa + eight(word)
			i += 8
		}
		for i < len(b) && b[i]-'0' <= 9 {
			mantissa = 10*mantissa + uint64(b[i]-'0')
			i++
		}
		power = fraction - i
		if power == 0 {
			return s.slow()
		}
		count -= power
		for j := begin; count > most && (b[j] == '0' || b[j] == '.'); j++ { // leading zeros are no digits of the mantissa
			if b[j] == '0' {
				count--
			}
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		sign := 1
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			if b[i] == '-' {
				sign = -1
			}
			i++
		}
		from, exponent := i, 0
		for i < len(b) && b[i]-'0' <= 9 && i-from < 4 {
			exponent = 10*exponent + int(b[i]-'0')
			i++
		}
		if i == from || i-from == 4 {
			return s.slow()
		}
		power += sign * exponent
	}
	if count > most || power < -maxPower || power > maxPower || i == len(b) || i > longest {
		return s.slow()
	}
	value := float64(mantissa)
	if power < 0 {
		value *= inverses[-power] // several times as fast as a division
	} else {
		value *= powers[power]
	}
	const (
		cut    = 1<<29 - 1 // the bits of a float64 that a float32 has not
		middle = 1 << 28
		near   = 16
	)
	low := math.Float64bits(value) & cut
	if value < 0x1p-125 || value > 0x1p127 || low-(middle-near) <= 2*near {
		if mantissa != 0 {
			return s.slow()
		}
	}
	if negative {
		value = -value
	}
	s.at += i
	return float32(value), nil
}

// slow reads any number.
func (s *Scanner) slow() (float32, error) {
	n, err := s.shape()
	if err != nil {
		return 0, err
	}
	value, err := strconv.ParseFloat(string(s.buf[s.at:s.at+n]), 32)
	if err != nil {
		return 0, errInfinite
	}
	s.at += n
	return float32(value), nil
}

// eightDigits reports whether all eight bytes of a word are digits.
func eightDigits(word uint64) bool {
	const high, zeros, six = 0xf0f0f0f0f0f0f0f0, 0x3030303030303030, 0x0606060606060606
	return word&high == zeros && (word+six)&high == zeros
}

// eight is the number that eight digits are, the first of them in the lowest byte.
func eight(word uint64) uint64 {
	word -= 0x3030303030303030
	word = word*10 + word>>8 // pairs, in every second byte
	const mask = 0x000000ff000000ff
	return ((word&mask)*(100+1_000_000<<32) + (word>>16&mask)*(1+10_000<<32)) >> 32
}

// maxPower is the largest power of ten, of either sign, by which digits are multiplied.
const maxPower = 40

// powers are the powers of ten. Those above 22 are rounded.
var powers = [maxPower + 1]float64{ //nolint:gochecknoglobals // a table of constants
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
	1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40,
}

// inverses are the negative powers of ten, rounded.
var inverses = [maxPower + 1]float64{ //nolint:gochecknoglobals // a table of constants
	1e-0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18, 1e-19, 1e-20,
	1e-21, 1e-22, 1e-23, 1e-24, 1e-25, 1e-26, 1e-27, 1e-28, 1e-29, 1e-30, 1e-31, 1e-32, 1e-33, 1e-34, 1e-35, 1e-36, 1e-37, 1e-38, 1e-39, 1e-40,
}
