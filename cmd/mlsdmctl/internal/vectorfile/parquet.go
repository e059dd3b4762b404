package vectorfile

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/parquet-go/parquet-go"
)

// rowGroup is the size of a group of rows, in bytes of vectors: as much is held in memory, by readers too.
const rowGroup = 16 << 20

// parquetFile is the layout of Parquet. A Parquet file ends with what says where everything is, and cannot be gone on with. So rows
// are first written one behind the other, each with its lengths before it, and the file is made of them at the end.
type parquetFile struct{}

// parquetRow is a row of the file.
type parquetRow struct {
	ID        string    `parquet:"id"`
	Index     int64     `parquet:"index"`
	Embedding []float32 `parquet:"embedding,optional,list"`
}

// begin implements layout.
func (parquetFile) begin() int64 { return 0 }

// row implements layout: the length of the name, that of the vector, and both. A number is a name in its own digits.
func (parquetFile) row(b []byte, _ int, r Row, _ *State) ([]byte, error) {
	id := string(r.ID)
	if len(id) > 0 && id[0] == '"' {
		if err := json.Unmarshal(r.ID, &id); err != nil {
			return nil, err
		}
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(id)))       //nolint:gosec // a name is short
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Vector))) //nolint:gosec // and so is a vector
	return appendFloats(append(b, id...), r.Vector), nil
}

// whole implements layout.
func (p parquetFile) whole(part *os.File, s *State) (string, error) {
	name := part.Name() + newEnd
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return "", err
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	err = p.write(buffered, io.NewSectionReader(part, 0, s.Bytes), s)
	if err == nil {
		err = flushed(buffered, out)
	}
	return name, errors.Join(err, out.Close())
}

// write makes the file of the rows.
func (parquetFile) write(out io.Writer, in io.Reader, s *State) error {
	w := parquet.NewGenericWriter[parquetRow](out, parquet.KeyValueMetadata("model", s.Space.Model), parquet.KeyValueMetadata("space", s.Space.ID))
	rows := bufio.NewReaderSize(in, 1<<20)
	batch := make([]parquetRow, 0, 64)
	size := 0
	for i := range s.Rows {
		row, err := readRow(rows)
		if err != nil {
			return fmt.Errorf("row %d of %s: %w", i, partEnd, err)
		}
		row.Index = int64(i)
		batch = append(batch, row)
		size += len(row.ID) + 4*len(row.Embedding)
		if len(batch) < cap(batch) && size < rowGroup && i < s.Rows-1 {
			continue
		}
		if _, err := w.Write(batch); err != nil {
			return err
		}
		batch = batch[:0]
		if size >= rowGroup {
			size = 0
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return w.Close()
}

// readRow reads what row wrote.
func readRow(in *bufio.Reader) (parquetRow, error) {
	var lengths [8]byte
	if _, err := io.ReadFull(in, lengths[:]); err != nil {
		return parquetRow{}, err
	}
	id, vector := binary.LittleEndian.Uint32(lengths[:]), binary.LittleEndian.Uint32(lengths[4:])
	if id > rowGroup || vector > rowGroup {
		return parquetRow{}, errors.New("its lengths are too large to be true")
	}
	text := make([]byte, int(id)+4*int(vector))
	if _, err := io.ReadFull(in, text); err != nil {
		return parquetRow{}, err
	}
	row := parquetRow{ID: string(text[:id])}
	if vector > 0 {
		row.Embedding = make([]float32, vector)
	}
	for i := range row.Embedding {
		row.Embedding[i] = math.Float32frombits(binary.LittleEndian.Uint32(text[int(id)+4*i:]))
	}
	return row, nil
}
