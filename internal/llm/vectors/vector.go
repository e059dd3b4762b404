package vectors

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// MaxDimensions is the longest vector that is read. No model makes one of half the length.
const MaxDimensions = 1 << 14

// maxVector is the most bytes that one vector is expected to fill as JSON: some 30 for each number.
const maxVector = MaxDimensions << 5

// Errors of vectors.
var (
	errNoVector = errors.New("the embedding is neither a list of numbers nor a string of base64")
	errBase64   = errors.New("the embedding is no base64 of float32 values")
	errTooLong  = fmt.Errorf("a vector has more than %d dimensions", MaxDimensions)
)

// Vector reads a vector in either form: a list of numbers, or base64 of little-endian float32. All of it is finite; it may be empty.
func (s *Scanner) Vector() ([]float32, error) {
	switch c, err := s.next(); {
	case err != nil:
		return nil, err
	case c == '[':
		return s.Numbers()
	case c == '"':
		return s.base64()
	default:
		return nil, errNoVector
	}
}

// Numbers reads a vector that is a list of numbers. All of it is finite; it may be empty.
func (s *Scanner) Numbers() ([]float32, error) {
	if err := s.enter('['); err != nil {
		return nil, err
	}
	s.list = s.list[:0]
	for first := true; ; first = false {
		if done, err := s.leave(']', first); err != nil {
			return nil, err
		} else if done {
			return slices.Clone(s.list), nil
		}
		c, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case c != '-' && (c < '0' || c > '9'):
			return nil, errNoNumber
		case len(s.list) == MaxDimensions:
			return nil, errTooLong
		}
		for { // as long as nothing but a comma stands between two numbers
			s.need(longest + 3)
			value, err := s.float()
			if err != nil {
				return nil, err
			}
			s.list = append(s.list, value)
			if s.end-s.at < 2 || s.buf[s.at] != ',' || len(s.list) == MaxDimensions {
				break
			}
			if c := s.buf[s.at+1]; c != '-' && (c < '0' || c > '9') {
				break
			}
			s.at++
		}
	}
}

// base64 reads a vector that is a string.
func (s *Scanner) base64() ([]float32, error) {
	const most = (4*MaxDimensions + 2) / 3 * 4 // characters
	s.at++
	s.text = s.text[:0]
	for done := false; !done; {
		if s.need(1); s.at == s.end {
			return nil, s.ended()
		}
		run := s.buf[s.at:s.end]
		if i := bytes.IndexByte(run, '"'); i >= 0 {
			run = run[:i]
		}
		if i := bytes.IndexByte(run, '\\'); i >= 0 {
			run = run[:i]
		}
		s.at += len(run)
		s.text = append(s.text, run...)
		if len(s.text) > most {
			return nil, errTooLong
		}
		if s.at == s.end {
			continue
		}
		if done = s.buf[s.at] == '"'; done {
			s.at++
			continue
		}
		s.need(2) // base64 needs no escape, but some encoders write "\/"
		switch {
		case s.end-s.at < 2:
			return nil, s.ended()
		case s.buf[s.at+1] != '/':
			return nil, errBase64
		}
		s.text = append(s.text, '/')
		s.at += 2
	}
	return s.unpack()
}

// unpack makes a vector of base64.
func (s *Scanner) unpack() ([]float32, error) {
	s.packed = slices.Grow(s.packed[:0], base64.StdEncoding.DecodedLen(len(s.text)))[:base64.StdEncoding.DecodedLen(len(s.text))]
	n, err := base64.StdEncoding.Strict().Decode(s.packed, s.text)
	if err != nil || n%4 != 0 || bytes.IndexByte(s.text, '\n') >= 0 || bytes.IndexByte(s.text, '\r') >= 0 {
		return nil, errBase64
	}
	values := make([]float32, n/4)
	for i := range values {
		bits := binary.LittleEndian.Uint32(s.packed[4*i:])
		if bits&infinite == infinite {
			return nil, errInfinite
		}
		values[i] = math.Float32frombits(bits)
	}
	return values, nil
}

// infinite is the exponent of numbers that are not finite.
const infinite = 0x7f800000
