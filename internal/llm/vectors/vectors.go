// Package vectors reads vectors out of the answers of servers of embeddings, while these are decoded: lists of numbers, nested ones,
// and base64 of little-endian float32.
//
// What is read is finite and nothing but numbers: no null that becomes a zero, no string. What is wrong is kept beside it instead of
// ending the decoding, in words that hold nothing of the answer; whether there are as many vectors as texts, and of the length that was
// asked for, is for [llm.CheckVectors].
package vectors

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Vector is one vector of an answer, in either form. One that is not there has neither values nor an error.
type Vector struct {
	// Values are finite, and at least one.
	Values []float32
	// Err says what is wrong.
	Err error
}

// Interface guards.
var (
	_ json.UnmarshalerFrom = (*Vector)(nil)
	_ json.UnmarshalerFrom = (*Lists)(nil)
)

// UnmarshalJSONFrom implements [json.UnmarshalerFrom]. It fails only on what is no JSON.
func (v *Vector) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	*v = Vector{}
	switch raw.Kind() {
	case '[':
		v.Values, v.Err = newReader(raw).row()
	case '"':
		v.Values, v.Err = unpack(raw)
	default:
		v.Err = fmt.Errorf("the embedding is %s, neither a list of numbers nor base64", kind(raw[0]))
	}
	return nil
}

// row reads a list of numbers.
func (r *reader) row() ([]float32, error) {
	r.next()
	r.at++ // the bracket
	if r.next() == ']' {
		return nil, errors.New("a vector is empty")
	}
	rest := r.text[r.at:]
	if end := bytes.IndexByte(rest, ']'); end >= 0 {
		rest = rest[:end]
	}
	row := make([]float32, 0, bytes.Count(rest, []byte(","))+1)
	for {
		if c := r.next(); c != '-' && (c < '0' || c > '9') {
			return nil, fmt.Errorf("a vector holds %s", kind(c))
		}
		f, err := r.number()
		if err != nil {
			return nil, err
		}
		row = append(row, f)
		c := r.next()
		r.at++
		if c != ',' {
			return row, nil
		}
	}
}

// unpack reads a JSON string of base64.
func unpack(raw []byte) ([]float32, error) {
	text := raw[1 : len(raw)-1] // base64 needs no JSON escapes but "\/", which some encoders write
	if bytes.IndexByte(text, '\\') >= 0 {
		text = bytes.ReplaceAll(text, []byte(`\/`), []byte(`/`))
	}
	packed := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(packed, text)
	switch {
	case err != nil:
		return nil, errors.New("the embedding is no base64")
	case n == 0:
		return nil, errors.New("a vector is empty")
	case n%4 != 0:
		return nil, fmt.Errorf("the embedding is %d bytes of base64; float32 takes four each", n)
	}
	values := make([]float32, n/4)
	for i := range values {
		bits := binary.LittleEndian.Uint32(packed[4*i:])
		if bits&infinite == infinite {
			return nil, errors.New("a vector holds a number that is not finite")
		}
		values[i] = math.Float32frombits(bits)
	}
	return values, nil
}

// infinite is the exponent of the float32 that are not finite.
const infinite = 0x7f800000

// kind names what starts with a byte.
func kind(c byte) string {
	switch c {
	case 'n':
		return "a null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	default:
		return "a number"
	}
}
