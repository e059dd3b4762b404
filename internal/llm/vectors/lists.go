package vectors

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
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

var _ json.UnmarshalerFrom = (*Lists)(nil)

// maxOther is how much is kept of what is no list, in bytes.
const maxOther = 64 << 10

// UnmarshalJSONFrom implements [json.UnmarshalerFrom]. It fails only on what is no JSON.
func (l *Lists) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	*l = Lists{Most: l.Most, Depth: nested(raw)}
	switch {
	case l.Depth == 0:
		l.Err = fmt.Errorf("there is %s instead of a list of vectors", kind(raw.Kind()))
		if len(raw) <= maxOther {
			l.Other = bytes.Clone(raw)
		}
	case l.Depth > MaxDepth:
		l.Err = fmt.Errorf("lists are nested %d deep", l.Depth)
	default:
		l.Groups = make([][]int, l.Depth-1)
		if l.Err = l.read(NewScanner(bytes.NewReader(raw)), 0); l.Err != nil {
			l.Rows, l.Groups = nil, nil
		}
	}
	return nil
}

// nested counts the lists that begin a JSON text.
func nested(raw []byte) int {
	depth := 0
	for _, c := range raw {
		switch c {
		case '[':
			depth++
		case ' ', '\t', '\r', '\n':
		default:
			return depth
		}
	}
	return depth
}

// kind names what is no list.
func kind(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "a null"
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '0':
		return "a number"
	default:
		return "a boolean"
	}
}

// read reads a list at a depth, 0 for the outermost.
func (l *Lists) read(s *Scanner, depth int) error {
	if depth == l.Depth-1 {
		return l.row(s)
	}
	place := len(l.Groups[depth])
	l.Groups[depth] = append(l.Groups[depth], 0)
	if err := s.Array(func(int) error {
		l.Groups[depth][place]++
		return l.read(s, depth+1)
	}); err != nil {
		return err
	}
	if l.Groups[depth][place] == 0 { // this bounds, with Most, how many lists there can be
		return errors.New("a list is empty")
	}
	return nil
}

// row reads an innermost list.
func (l *Lists) row(s *Scanner) error {
	if len(l.Rows) == l.Most {
		return fmt.Errorf("there are more than %d vectors", l.Most)
	}
	row, err := s.Numbers()
	switch {
	case err != nil:
		return err
	case len(row) == 0:
		return errors.New("a vector is empty")
	case len(l.Rows) > 0 && len(row) != len(l.Rows[0]):
		return fmt.Errorf("vector %d has %d dimensions, vector 0 has %d", len(l.Rows), len(row), len(l.Rows[0]))
	}
	l.Rows = append(l.Rows, row)
	return nil
}
