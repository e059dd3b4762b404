package vectors

import (
	"errors"
	"fmt"
	"io"
)

// Bounds of an answer with vectors, in bytes: what comes beside them, all together, and what of it is understood.
const (
	besideThem = 1 << 20
	mostOfThem = 256 << 20
	maxPart    = 64 << 10
)

// Most is how many bytes the answer to so many texts may have.
func Most(texts int) int64 { return min(besideThem+int64(texts)*maxVector, mostOfThem) }

// Rows are the vectors of an answer that is read as it comes: a list of them, at one place.
type Rows struct {
	// Texts is how many vectors there may be.
	Texts int
	// Base64 says that a vector may also be a string of base64: see [Scanner.Vector].
	Base64 bool
	// Vectors are finite. Whether there are enough of them, of one length, is for [llm.CheckVectors].
	Vectors [][]float32
	// Found says that there was such a list.
	Found bool
}

// Read reads the list; a null is none.
func (r *Rows) Read(s *Scanner) error {
	if null, err := s.Null(); null || err != nil {
		return err
	}
	if r.Found {
		return errors.New("vectors come twice")
	}
	r.Found = true
	return s.Array(func(i int) error {
		if i == r.Texts {
			return fmt.Errorf("there are more than %d vectors", r.Texts)
		}
		read := s.Numbers
		if r.Base64 {
			read = s.Vector
		}
		row, err := read()
		if err != nil {
			return fmt.Errorf("vector %d: %w", i, err)
		}
		r.Vectors = append(r.Vectors, row)
		return nil
	})
}

// Object reads an answer that is an object. The members that are named, and no others, are read by part, which gets each as JSON text
// unless it is the one with the vectors, which is called rows and read by read.
func Object(src io.Reader, rows string, read func(s *Scanner) error, parts map[string]*[]byte) error {
	s := NewScanner(src)
	if err := s.Object(func(name string) (err error) {
		if name == rows {
			return read(s)
		}
		part, known := parts[name]
		if !known {
			return s.Skip()
		}
		*part, err = s.Raw(maxPart)
		return err
	}); err != nil {
		return err
	}
	return s.End()
}
