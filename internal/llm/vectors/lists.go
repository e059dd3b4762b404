package vectors

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep the numbers of [Lists] may be nested: vectors of tokens of parts of texts.
const MaxDepth = 4

// Lists are numbers in nested lists of one depth. Those that are not there have neither a depth nor an error.
type Lists struct {
	// Most is the largest number of innermost lists that is read. It is set before decoding; 0 is none.
	Most int
	// Depth is how deep the numbers are nested, by the first of them: 0 is no list, 1 one vector. It is told also where it is too deep.
	Depth int
	// Rows are the innermost lists in their order: of one length, not empty, and finite.
	Rows [][]float32
	// Groups are, for each depth above the innermost, from the outermost, the lengths of its lists in their order. None is empty.
	Groups [][]int
	// Other is what stands in the place of a list, if it is short.
	Other jsontext.Value
	// Err says what is wrong.
	Err error
}

// maxOther is how much is kept of what is no list, in bytes.
const maxOther = 64 << 10

// UnmarshalJSONFrom implements [json.UnmarshalerFrom]. It fails only on what is no JSON.
func (l *Lists) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	*l = Lists{Most: l.Most}
	r := newReader(raw)
	for r.next() == '[' {
		l.Depth++
		r.at++
	}
	r.at = 0
	switch {
	case l.Depth == 0:
		l.Err = fmt.Errorf("there is %s instead of a list of vectors", kind(raw[0]))
		if len(raw) <= maxOther {
			l.Other = bytes.Clone(raw)
		}
	case l.Depth > MaxDepth:
		l.Err = fmt.Errorf("lists are nested %d deep", l.Depth)
	default:
		l.Groups = make([][]int, l.Depth-1)
		if l.Err = l.read(r, 0); l.Err != nil {
			l.Rows, l.Groups = nil, nil
		}
	}
	return nil
}

// read reads a list at a depth, 0 for the outermost.
func (l *Lists) read(r *reader, depth int) error {
	if c := r.next(); c != '[' {
		return fmt.Errorf("%s stands where a list has to be", kind(c))
	}
	if depth == l.Depth-1 {
		return l.row(r)
	}
	r.at++               // the bracket
	if r.next() == ']' { // also what bounds, with Most, how many lists there can be
		return errors.New("a list is empty")
	}
	place := len(l.Groups[depth])
	l.Groups[depth] = append(l.Groups[depth], 0)
	for {
		if err := l.read(r, depth+1); err != nil {
			return err
		}
		l.Groups[depth][place]++
		c := r.next()
		r.at++
		if c != ',' {
			return nil
		}
	}
}

// row reads an innermost list.
func (l *Lists) row(r *reader) error {
	if len(l.Rows) == l.Most {
		return fmt.Errorf("there are more than %d vectors", l.Most)
	}
	row, err := r.row()
	if err != nil {
		return err
	}
	if len(l.Rows) > 0 && len(row) != len(l.Rows[0]) {
		return fmt.Errorf("vector %d has %d dimensions, vector 0 has %d", len(l.Rows), len(row), len(l.Rows[0]))
	}
	l.Rows = append(l.Rows, row)
	return nil
}
