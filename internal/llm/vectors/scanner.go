package vectors

import (
	"errors"
	"fmt"
	"io"
)

const (
	// bufferSize is the memory for what has come and is not read yet, in bytes.
	bufferSize = 64 << 10
	// longest is the longest number and the longest name that is read, in bytes. All of one is in the buffer at once.
	longest = 512
	// maxDepth is how deeply lists and objects may stand in each other.
	maxDepth = 64
)

// Errors of an answer. What the source fails with is returned wrapped, as its own.
var (
	errCut    = errors.New("it ends in the middle")
	errSyntax = errors.New("it is not JSON")
	errDeep   = fmt.Errorf("it is nested more than %d deep", maxDepth)
	errLong   = fmt.Errorf("it has a name or a number of more than %d bytes", longest)
	errLarge  = errors.New("a part of it is too large")
)

// Scanner reads one JSON text from the front to the end. The callbacks of [Scanner.Object] and [Scanner.Array] read, or skip, exactly
// one value each. After an error nothing more can be read. It is for one goroutine.
type Scanner struct {
	src     io.Reader
	err     error // why there is no more to come
	buf     []byte
	at, end int // what has come and is not read yet
	depth   int

	list   []float32 // of the vector that is read
	text   []byte    // of the base64 that is read
	packed []byte

	record bool   // what is read is kept
	tape   []byte // what was kept, up to most bytes and one
	most   int
	mark   int // from where on it is not on the tape yet
}

// NewScanner returns a Scanner of what src holds.
func NewScanner(src io.Reader) *Scanner { return &Scanner{src: src, buf: make([]byte, bufferSize)} }

// need has n bytes in the buffer, or all that are left.
func (s *Scanner) need(n int) {
	if s.end-s.at >= n || s.err != nil {
		return
	}
	s.keep()
	copy(s.buf, s.buf[s.at:s.end])
	s.at, s.end, s.mark = 0, s.end-s.at, 0
	const patience = 100 // readers that give nothing and no error
	for empty := 0; s.end < n && s.err == nil; {
		var got int
		got, s.err = s.src.Read(s.buf[s.end:])
		s.end += got
		if empty++; got > 0 {
			empty = 0
		}
		if empty == patience && s.err == nil {
			s.err = io.ErrNoProgress
		}
	}
}

// ended is the error of a text that has no more bytes.
func (s *Scanner) ended() error {
	if errors.Is(s.err, io.EOF) {
		return errCut
	}
	return fmt.Errorf("reading: %w", s.err)
}

// next skips white space and returns the byte that follows, which stays.
func (s *Scanner) next() (byte, error) {
	for {
		for s.at < s.end {
			switch c := s.buf[s.at]; c {
			case ' ', '\t', '\n', '\r':
				s.at++
			default:
				return c, nil
			}
		}
		s.need(1)
		if s.at == s.end {
			return 0, s.ended()
		}
	}
}

// Kind says what the next value is: '{', '[', '"', '0' for a number, 't', 'f' or 'n'.
func (s *Scanner) Kind() (byte, error) {
	c, err := s.next()
	if err != nil {
		return 0, err
	}
	switch {
	case c == '-' || c >= '0' && c <= '9':
		return '0', nil
	case c == '{' || c == '[' || c == '"' || c == 't' || c == 'f' || c == 'n':
		return c, nil
	default:
		return 0, errSyntax
	}
}

// enter begins a list or an object.
func (s *Scanner) enter(open byte) error {
	switch c, err := s.next(); {
	case err != nil:
		return err
	case c != open:
		return fmt.Errorf("%q is missing where %q stands", open, c)
	case s.depth == maxDepth:
		return errDeep
	}
	s.at++
	s.depth++
	return nil
}

// leave reports whether a list or an object ends here; else it reads the comma, unless this is the first of its values.
func (s *Scanner) leave(closing byte, first bool) (bool, error) {
	c, err := s.next()
	switch {
	case err != nil:
		return false, err
	case c == closing:
		s.at++
		s.depth--
		return true, nil
	case first:
		return false, nil
	case c != ',':
		return false, errSyntax
	}
	s.at++
	return false, nil
}

// Object reads an object. It calls member for each of its members with the name, in which no escapes are left.
func (s *Scanner) Object(member func(name string) error) error {
	if err := s.enter('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		if done, err := s.leave('}', first); done || err != nil {
			return err
		}
		name, err := s.name()
		if err != nil {
			return err
		}
		if c, err := s.next(); err != nil {
			return err
		} else if c != ':' {
			return errSyntax
		}
		s.at++
		if err := member(name); err != nil {
			return err
		}
	}
}

// Array reads a list. It calls item for each of its values, with its place.
func (s *Scanner) Array(item func(i int) error) error {
	if err := s.enter('['); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if done, err := s.leave(']', i == 0); done || err != nil {
			return err
		}
		if err := item(i); err != nil {
			return err
		}
	}
}

// Null reads a null, if the next value is one.
func (s *Scanner) Null() (bool, error) {
	c, err := s.Kind()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, s.word("null")
}

// End reads the white space that may follow a JSON text, and nothing else.
func (s *Scanner) End() error {
	if _, err := s.next(); err == nil {
		return errors.New("something follows its end")
	}
	if !errors.Is(s.err, io.EOF) {
		return s.ended()
	}
	return nil
}
