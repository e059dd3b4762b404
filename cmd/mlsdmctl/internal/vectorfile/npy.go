package vectorfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
)

// npyHeader is the room for the header, in bytes: a multiple of 64, as NumPy wants it, that takes every shape.
const npyHeader = 128

// npy is the layout of NumPy's format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0.
type npy struct{}

// begin implements layout.
func (npy) begin() int64 { return npyHeader }

// row implements layout. As long as the length of the vectors is not known, rows of zeros are owed.
func (npy) row(b []byte, index int, r Row, s *State) ([]byte, error) {
	d := s.Space.Dimensions
	if d == 0 {
		return b, nil
	}
	if owed := int64(index)*int64(d)*4 - (s.Bytes - npyHeader); owed > 0 {
		b = append(b, make([]byte, owed)...)
	}
	if r.Error != nil {
		return append(b, make([]byte, 4*d)...), nil
	}
	return appendFloats(b, r.Vector), nil
}

// whole implements layout: now the shape is known.
func (npy) whole(part *os.File, s *State) (string, error) {
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': " + fmt.Sprintf("(%d, %d)", s.Rows, s.Space.Dimensions) + ", }"
	b := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(b[8:], npyHeader-10)
	b = append(b, header+strings.Repeat(" ", npyHeader-11-len(header))+"\n"...)
	if _, err := part.WriteAt(b, 0); err != nil {
		return "", err
	}
	return part.Name(), part.Sync()
}

// appendFloats appends little-endian float32.
func appendFloats(b []byte, values []float32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// layoutOf returns the layout of a format.
func layoutOf(format Format) layout {
	switch format {
	case JSONL:
		return jsonLines{}
	case Parquet:
		return parquetFile{}
	case NPY:
		return npy{}
	default:
		return npy{}
	}
}
