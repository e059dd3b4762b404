// Package corpus reads the texts of a large file one after the other: a text a line, or a JSON object a line (JSONL). It never holds
// more than a line of it, and it can go on where it stopped, provided that what it has read is still the same.
package corpus

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
)

// MaxLine is the length of the longest line that is read, in bytes. A longer one is passed over, and said to be.
const MaxLine = 16 << 20

// ErrChanged is the error of a file whose beginning is not what was read before.
var ErrChanged = errors.New("the input is not what it was")

// Format says what a line is.
type Format struct {
	// JSONL says that each line is a JSON object. Otherwise the line itself is the text.
	JSONL bool
	// Field is the field of the object that holds the text, and IDField the one that names it; without it the texts have no names.
	Field, IDField string
}

// Item is one text.
type Item struct {
	// Line is the number of the line it stands in, from 1.
	Line int
	// ID is the JSON value that names it: a string or a number. Nil if there is none.
	ID json.RawMessage
	// Text is empty if there is an Err, which says why the line holds no text.
	Text string
	Err  error
}

// Position is how far a file was read.
type Position struct {
	// Bytes and Lines count what was read, and SHA256 is the hash of it, in hexadecimal digits.
	Bytes  int64  `json:"bytes"`
	Lines  int    `json:"lines"`
	SHA256 string `json:"sha256"`
	// Empty counts the lines that are empty. They are no texts.
	Empty int `json:"empty,omitempty"`
}

// Reader reads a corpus. It is not safe for concurrent use.
type Reader struct {
	in     *bufio.Reader
	format Format
	sum    hash.Hash
	at     Position
	line   []byte
}

// New returns a reader of in.
func New(in io.Reader, format Format) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, 256<<10), format: format, sum: sha256.New()}
}

// Position returns how far the reader has come.
func (r *Reader) Position() Position {
	at := r.at
	at.SHA256 = hex.EncodeToString(r.sum.Sum(nil))
	return at
}

// Skip goes to where another reader was; the zero Position is the beginning. It reads what is before, and returns [ErrChanged] unless
// that is the same.
func (r *Reader) Skip(to Position) error {
	if to == (Position{}) {
		return nil
	}
	n, err := io.CopyN(r.sum, r.in, to.Bytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the input: %w", err)
	}
	if n < to.Bytes {
		return fmt.Errorf("%w: it has %d bytes, and %d were read before", ErrChanged, n, to.Bytes)
	}
	r.at = to
	if r.Position().SHA256 != to.SHA256 {
		return fmt.Errorf("%w: its first %d lines differ from those that were read before", ErrChanged, to.Lines)
	}
	return nil
}

// Next returns the next text. The error is [io.EOF] at the end.
func (r *Reader) Next() (Item, error) {
	for {
		line, long, err := r.next()
		if err != nil {
			return Item{}, err
		}
		switch {
		case long:
			return Item{Line: r.at.Lines, Err: fmt.Errorf("the line has more than %d bytes", MaxLine)}, nil
		case len(bytes.TrimSpace(line)) == 0:
			r.at.Empty++
			continue
		}
		item := Item{Line: r.at.Lines}
		item.ID, item.Text, item.Err = r.format.parse(line)
		return item, nil
	}
}

// next reads a line, without its end. Of one that is too long only the beginning is kept.
func (r *Reader) next() (line []byte, long bool, err error) {
	r.line = r.line[:0]
	begun := false
	for {
		piece, err := r.in.ReadSlice('\n')
		if len(piece) > 0 {
			begun = true
			r.sum.Write(piece)
			r.at.Bytes += int64(len(piece))
			if long = long || len(r.line)+len(piece) > MaxLine; !long {
				r.line = append(r.line, piece...)
			}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && !begun:
			return nil, false, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, false, fmt.Errorf("reading the input: %w", err)
		}
		if r.at.Lines++; r.at.Lines == 1 {
			return bytes.TrimPrefix(trimEnd(r.line), []byte("\ufeff")), long, nil
		}
		return trimEnd(r.line), long, nil
	}
}

// trimEnd takes the end of the line off.
func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}
