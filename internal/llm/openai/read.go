package openai

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// reader reads the JSON of answers in one pass, as far as it is what servers usually send. Anything else, be it right or wrong (a value
// of another kind, a name that comes twice, a number that is not whole, text that is not UTF-8), makes it give up: then package json
// reads the whole, which alone says what is wrong. Whatever is read of one that has given up does not count.
type reader struct {
	json []byte
	at   int
	gone bool   // it has given up
	room []byte // for texts with escapes
}

// maxRoom is the largest room that is kept, in bytes; maxDepth is how deep what is passed over may nest.
const (
	maxRoom  = 64 << 10
	maxDepth = 64
)

// start begins to read a JSON text, of which nothing is kept.
func (r *reader) start(json []byte) { r.json, r.at, r.gone = json, 0, false }

// done reports whether everything has been read, to the end of the text.
func (r *reader) done() bool {
	ok := r.peek() == 0 && !r.gone && r.at == len(r.json)
	r.json = nil
	if cap(r.room) > maxRoom {
		r.room = nil
	}
	return ok
}

// giveUp ends the reading.
func (r *reader) giveUp() { r.gone, r.at = true, len(r.json) }

// peek returns the byte with which the next value begins; 0 at the end.
func (r *reader) peek() byte {
	for ; r.at < len(r.json); r.at++ {
		if c := r.json[r.at]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
	}
	return 0
}

// open reads the bracket that begins an object or a list, and reports whether there is something in it. closing is the one that ends it.
func (r *reader) open(opening, closing byte) bool {
	if r.peek() != opening {
		r.giveUp()
		return false
	}
	r.at++
	if r.peek() == closing {
		r.at++
		return false
	}
	return !r.gone
}

// next reads what stands behind a member or an element, and reports whether another one follows.
func (r *reader) next(closing byte) bool {
	switch c := r.peek(); {
	case r.gone:
		return false
	case c == ',':
		r.at++
		return true
	case c == closing:
		r.at++
		return false
	default:
		r.giveUp()
		return false
	}
}

// null reads a null, if there is one.
func (r *reader) null() bool {
	if r.peek() != 'n' {
		return false
	}
	r.word("null")
	return true
}

// word reads one of the words of JSON.
func (r *reader) word(word string) {
	if end := r.at + len(word); end > len(r.json) || string(r.json[r.at:end]) != word {
		r.giveUp()
		return
	}
	r.at += len(word)
}

// name reads the name of a member.
func (r *reader) name() []byte {
	name, escaped := r.scan()
	if escaped || r.peek() != ':' {
		r.giveUp()
		return nil
	}
	r.at++
	return name
}

// names are those of one object that have been read, by number.
type names uint

// add notes a name. The second of two with one name is put together with the first, which is left to package json.
func (n *names) add(r *reader, number int) {
	if *n&(1<<number) != 0 {
		r.giveUp()
	}
	*n |= 1 << number
}

// scan reads a string, and returns what stands between its quotes.
func (r *reader) scan() (inner []byte, escaped bool) {
	if r.peek() != '"' {
		r.giveUp()
		return nil, false
	}
	const word = 8
	begin, ascii := r.at+1, true
	for i := begin; i < len(r.json); {
		if len(r.json)-i >= word {
			plain := plainBytes(binary.LittleEndian.Uint64(r.json[i:]))
			if i += plain; plain == word {
				continue
			}
		}
		switch c := r.json[i]; {
		case c == '"':
			if inner = r.json[begin:i]; !ascii && !utf8.Valid(inner) {
				r.giveUp()
				return nil, false
			}
			r.at = i + 1
			return inner, escaped
		case c == '\\':
			escaped = true
			i += 2 // what it stands for is looked at later
		case c < ' ':
			r.giveUp()
			return nil, false
		default:
			ascii = ascii && c < utf8.RuneSelf
			i++
		}
	}
	r.giveUp()
	return nil, false
}

// plainBytes returns how many of eight bytes, from the lowest on, are just characters of a string: no quote, no backslash, no control
// character, and ASCII.
func plainBytes(eight uint64) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	// A byte that is smaller than n borrows from its highest bit when n is taken from it, and may borrow from those behind it too.
	quote, backslash := eight^'"'*ones, eight^'\\'*ones
	odd := eight | (eight - ' '*ones) | (quote - ones) | (backslash - ones)
	return bits.TrailingZeros64(odd&highs) / 8
}

// text reads a string; null is an empty one. It takes no memory for one that is what it was the last time.
func (r *reader) text(was string) string {
	if r.null() {
		return ""
	}
	inner, escaped := r.scan()
	if escaped {
		inner = r.unquote(inner)
	}
	if string(inner) == was {
		return was
	}
	return string(inner)
}

// unquote resolves the escapes of the string that was just read.
func (r *reader) unquote(inner []byte) []byte {
	text, err := jsontext.AppendUnquote(r.room[:0], r.json[r.at-len(inner)-2:r.at])
	if err != nil {
		r.giveUp()
		return nil
	}
	r.room = text
	return text
}

// whole reads a whole number; null is 0.
func (r *reader) whole() int64 {
	if r.null() {
		return 0
	}
	negative := r.peek() == '-'
	if negative {
		r.at++
	}
	begin, n := r.at, int64(0)
	for r.at < len(r.json) && r.json[r.at] >= '0' && r.json[r.at] <= '9' {
		n = n*10 + int64(r.json[r.at]-'0')
		r.at++
	}
	const most = 18 // digits of what is no larger than a number can be
	digits := r.at - begin
	if digits == 0 || digits > most || digits > 1 && r.json[begin] == '0' {
		r.giveUp()
		return 0
	}
	if r.at < len(r.json) && (r.json[r.at] == '.' || r.json[r.at] == 'e' || r.json[r.at] == 'E') {
		r.giveUp()
		return 0
	}
	if negative {
		return -n
	}
	return n
}

// value reads any value and returns a copy of it as it is written; null is none.
func (r *reader) value() jsontext.Value {
	if r.null() {
		return nil
	}
	begin := r.at
	r.skip(maxDepth)
	if r.gone {
		return nil
	}
	return bytes.Clone(r.json[begin:r.at])
}

// skip passes over a value.
func (r *reader) skip(depth int) {
	if depth == 0 {
		r.giveUp()
		return
	}
	switch c := r.peek(); c {
	case '"':
		if inner, escaped := r.scan(); escaped {
			r.unquote(inner)
		}
	case '{':
		for more := r.open('{', '}'); more; more = r.next('}') {
			r.name()
			r.skip(depth - 1)
		}
	case '[':
		for more := r.open('[', ']'); more; more = r.next(']') {
			r.skip(depth - 1)
		}
	case 't':
		r.word("true")
	case 'f':
		r.word("false")
	case 'n':
		r.word("null")
	default:
		r.number()
	}
}

// number passes over a number, which may have a fraction and an exponent.
func (r *reader) number() {
	if r.peek() == '-' {
		r.at++
	}
	if r.at < len(r.json) && r.json[r.at] == '0' { // no digit may follow
		r.at++
	} else {
		r.digits()
	}
	if r.at < len(r.json) && r.json[r.at] == '.' {
		r.at++
		r.digits()
	}
	if r.at < len(r.json) && (r.json[r.at] == 'e' || r.json[r.at] == 'E') {
		if r.at++; r.at < len(r.json) && (r.json[r.at] == '+' || r.json[r.at] == '-') {
			r.at++
		}
		r.digits()
	}
}

// digits passes over one digit or more.
func (r *reader) digits() {
	begin := r.at
	for r.at < len(r.json) && r.json[r.at] >= '0' && r.json[r.at] <= '9' {
		r.at++
	}
	if r.at == begin {
		r.giveUp()
	}
}
