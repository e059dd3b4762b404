package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Read reads the file. The model refers to the numbers of 8 bits where they are, so file must not change afterwards.
func Read(file []byte) (*Model, error) {
	r := reader{rest: file}
	m := new(Model)
	m.code(&r)
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes behind the end", len(r.rest))
	}
	if r.err != nil {
		return nil, fmt.Errorf("read weights: %w", r.err)
	}
	return m, nil
}

// reader is the codec that reads.
type reader struct {
	rest []byte
	err  error
}

// take returns the next n bytes, or nil.
func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.rest) {
		r.err = errors.New("the file is too short")
		return nil
	}
	part := r.rest[:n:n]
	r.rest = r.rest[n:]
	return part
}

func (r *reader) magic() {
	if b := r.take(len(magic)); r.err == nil && string(b) != magic {
		r.err = fmt.Errorf("the file begins with %q, not with %q", b, magic)
	}
}

func (r *reader) pieces(list *[]Piece) {
	b := r.take(4)
	if r.err != nil {
		return
	}
	n := binary.LittleEndian.Uint32(b)
	if n <= Reserved || n > Rows {
		r.err = fmt.Errorf("%d pieces; the table has room for %d to %d", n, Reserved+1, Rows)
		return
	}
	*list = make([]Piece, n)
	for i := range *list {
		head := r.take(5)
		if r.err != nil {
			return
		}
		score := math.Float32frombits(binary.LittleEndian.Uint32(head))
		(*list)[i] = Piece{string(r.take(int(head[4]))), score}
	}
}

func (r *reader) floats(list *[]float32, n int) {
	b := r.take(4 * n)
	if r.err != nil {
		return
	}
	*list = make([]float32, n)
	for i := range *list {
		(*list)[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

func (r *reader) bytes(list *[]byte, n int) { *list = r.take(n) }
