package vectors

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Skip reads a value of which nothing is wanted but that it is one.
func (s *Scanner) Skip() error {
	c, err := s.Kind()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		return s.Object(func(string) error { return s.Skip() })
	case '[':
		return s.Array(func(int) error { return s.Skip() })
	case '"':
		return s.skipString()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		s.need(longest + 1)
		n, err := s.shape()
		s.at += n
		return err
	}
}

// Int reads a whole number.
func (s *Scanner) Int() (int, error) {
	if c, err := s.next(); err != nil {
		return 0, err
	} else if c != '-' && (c < '0' || c > '9') {
		return 0, errNoNumber
	}
	s.need(longest + 1)
	n, err := s.shape()
	if err != nil {
		return 0, err
	}
	value, err := strconv.Atoi(string(s.buf[s.at : s.at+n]))
	if err != nil {
		return 0, errNoInteger
	}
	s.at += n
	return value, nil
}

// word reads true, false or null.
func (s *Scanner) word(want string) error {
	s.need(len(want))
	if !bytes.HasPrefix(s.buf[s.at:s.end], []byte(want)) {
		if s.end-s.at < len(want) && bytes.HasPrefix([]byte(want), s.buf[s.at:s.end]) {
			return s.ended()
		}
		return errSyntax
	}
	s.at += len(want)
	return nil
}

// name reads the name of a member.
func (s *Scanner) name() (string, error) {
	if c, err := s.next(); err != nil {
		return "", err
	} else if c != '"' {
		return "", errSyntax
	}
	s.need(longest + 2)
	for i := s.at + 1; i < min(s.end, s.at+longest+2); i++ {
		switch c := s.buf[i]; {
		case c == '"':
			raw := s.buf[s.at : i+1]
			s.at = i + 1
			if bytes.IndexByte(raw, '\\') < 0 {
				return intern(raw[1 : len(raw)-1]), nil
			}
			var plain string
			if json.Unmarshal(raw, &plain) != nil {
				return "", errSyntax
			}
			return plain, nil
		case c == '\\':
			i++
		case c < ' ':
			return "", errSyntax
		}
	}
	if s.end-s.at >= longest+2 {
		return "", errLong
	}
	return "", s.ended()
}

// intern is the text of a name. Those that come with every vector need no memory.
func intern(name []byte) string {
	switch string(name) {
	case "index":
		return "index"
	case "embedding":
		return "embedding"
	case "object":
		return "object"
	}
	return string(name)
}

// skipString reads a string.
func (s *Scanner) skipString() error {
	s.at++
	for {
		for s.at < s.end {
			c := s.buf[s.at]
			switch {
			case c == '"':
				s.at++
				return nil
			case c < ' ':
				return errSyntax
			case c == '\\':
				if err := s.escape(); err != nil {
					return err
				}
			default:
				s.at++
			}
		}
		s.need(1)
		if s.at == s.end {
			return s.ended()
		}
	}
}

// escape reads an escape sequence.
func (s *Scanner) escape() error {
	const hex = len(`\u0000`)
	s.need(hex)
	if s.end-s.at < 2 {
		return s.ended()
	}
	switch s.buf[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return nil
	case 'u':
		if s.end-s.at < hex {
			return s.ended()
		}
		if _, err := strconv.ParseUint(string(s.buf[s.at+2:s.at+hex]), 16, 16); err != nil {
			return errSyntax
		}
		s.at += hex
		return nil
	default:
		return errSyntax
	}
}

// Raw reads a value as its text, of at most a number of bytes.
func (s *Scanner) Raw(most int) ([]byte, error) {
	if _, err := s.next(); err != nil {
		return nil, err
	}
	s.tape, s.mark, s.most, s.record = nil, s.at, most, true
	err := s.Skip()
	s.keep()
	s.record = false
	switch {
	case err != nil:
		return nil, err
	case len(s.tape) > most:
		return nil, errLarge
	}
	return s.tape, nil
}

// keep puts what has been read since the mark on the tape, and no more than shows that it is too much.
func (s *Scanner) keep() {
	if s.record {
		s.tape = append(s.tape, s.buf[s.mark:min(s.at, s.mark+s.most+1-len(s.tape))]...)
		s.mark = s.at
	}
}
