package weights

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Append appends the file to b. It fails where a part of the model has not the shape that it must have.
func (m *Model) Append(b []byte) ([]byte, error) {
	w := writer{file: b}
	m.code(&w)
	if w.err != nil {
		return nil, fmt.Errorf("write weights: %w", w.err)
	}
	return w.file, nil
}

// writer is the codec that writes.
type writer struct {
	file []byte
	err  error
}

// check takes down that a part has a wrong size, and says whether there was anything wrong.
func (w *writer) check(part string, got, want int) bool {
	if w.err == nil && got != want {
		w.err = fmt.Errorf("%s at byte %d: %d numbers, not %d", part, len(w.file), got, want)
	}
	return w.err == nil
}

func (w *writer) magic() { w.file = append(w.file, magic...) }

func (w *writer) pieces(list *[]Piece) {
	if len(*list) <= Reserved || len(*list) > Rows {
		w.err = fmt.Errorf("%d pieces; the table has room for %d to %d", len(*list), Reserved+1, Rows)
		return
	}
	w.file = binary.LittleEndian.AppendUint32(w.file, uint32(len(*list))) //nolint:gosec // checked above
	for i, p := range *list {
		if len(p.Text) > math.MaxUint8 {
			w.err = fmt.Errorf("piece %d has %d bytes; at most %d fit", i, len(p.Text), math.MaxUint8)
			return
		}
		w.float(p.Score)
		w.file = append(w.file, byte(len(p.Text))) //nolint:gosec // checked above
		w.file = append(w.file, p.Text...)
	}
}

func (w *writer) floats(list *[]float32, n int) {
	if w.check("floats", len(*list), n) {
		for _, f := range *list {
			w.float(f)
		}
	}
}

func (w *writer) float(f float32) {
	w.file = binary.LittleEndian.AppendUint32(w.file, math.Float32bits(f))
}

func (w *writer) bytes(list *[]byte, n int) {
	if w.check("bytes", len(*list), n) {
		w.file = append(w.file, *list...)
	}
}
