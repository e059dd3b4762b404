// Package sse reads server-sent events, the form in which model providers stream, within fixed bounds.
package sse

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// MaxEvent is the largest event, and the longest line, that is read, in bytes.
const MaxEvent = 1 << 20

// usual is the memory with which reading begins, in bytes: several events fit into it. It grows where one does not.
const usual = 2 << 10

// ErrTooLarge reports a line or an event of more than [MaxEvent] bytes.
var ErrTooLarge = errors.New("server-sent event is larger than 1 MiB")

// Event is one event of a stream.
type Event struct {
	// Name is the event's type; empty when the stream did not give one.
	Name string
	// Data is the event's data, its lines joined by newlines. It is valid until the next call of [Reader.Next].
	Data []byte
}

// Reader reads events, as the HTML standard's section "Server-sent events" has it: lines end in LF, CR or CRLF, a BOM
// and comments are skipped, events without data are not events. Unlike a browser it also returns an event that the end
// of the stream completes, since some servers leave out the last empty line.
type Reader struct {
	// Comment, if it is set, is called for each comment: servers send them to show that they still work.
	Comment func()

	scanner *bufio.Scanner
	data    []byte
	first   bool
	ended   bool
}

// NewReader returns a Reader on r.
func NewReader(r io.Reader) *Reader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, usual), MaxEvent)
	s.Split(new(lines).scan)
	return &Reader{scanner: s, first: true}
}

// Next returns the next event, [io.EOF] at the end of the stream, [ErrTooLarge], or the error of the underlying reader.
func (r *Reader) Next() (Event, error) {
	if r.ended {
		return Event{}, io.EOF
	}
	r.data = r.data[:0]
	name, lines := "", 0
	for r.scanner.Scan() {
		line := r.scanner.Bytes()
		if r.first {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
			r.first = false
		}
		if len(line) == 0 {
			if lines > 0 {
				return Event{Name: name, Data: r.data}, nil
			}
			name = ""
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":")) // a comment has an empty field name
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "":
			if r.Comment != nil {
				r.Comment()
			}
		case "event":
			name = string(value)
		case "data":
			if len(r.data)+len(value)+1 > MaxEvent {
				return Event{}, ErrTooLarge
			}
			if lines++; lines > 1 {
				r.data = append(r.data, '\n')
			}
			r.data = append(r.data, value...)
		}
	}
	r.ended = true
	if err := r.scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return Event{}, ErrTooLarge
	} else if err != nil {
		return Event{}, err
	}
	if lines > 0 {
		return Event{Name: name, Data: r.data}, nil
	}
	return Event{}, io.EOF
}

// lines finds lines.
type lines struct {
	// seen is how many bytes of the line were searched in vain: a long one that comes in small pieces is searched once.
	seen int
}

// scan is a [bufio.SplitFunc] that splits at LF, CR and CRLF. A CR that is the last byte so far is not yet a line: an LF may follow.
func (l *lines) scan(data []byte, atEOF bool) (advance int, token []byte, err error) {
	from := l.seen
	l.seen = 0
	if i := lineEnd(data[from:]); i >= 0 {
		i += from
		switch {
		case data[i] == '\n':
			return i + 1, data[:i], nil
		case i+1 < len(data) && data[i+1] == '\n':
			return i + 2, data[:i], nil
		case i+1 < len(data) || atEOF:
			return i + 1, data[:i], nil
		default:
			l.seen = i
			return 0, nil, nil
		}
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	l.seen = len(data)
	return 0, nil, nil
}

// lineEnd returns where the first line ends, at its LF or CR; -1 when it does not. It looks for each of them alone, in pieces of the usual
// length of a line, since that takes a tenth of the time of looking for both; and never far behind the end, which may be that of many.
func lineEnd(data []byte) int {
	const piece = 512
	for start := 0; start < len(data); start += piece {
		part := data[start:min(start+piece, len(data))]
		end := bytes.IndexByte(part, '\n')
		if end >= 0 {
			part = part[:end]
		}
		if first := bytes.IndexByte(part, '\r'); first >= 0 {
			end = first
		}
		if end >= 0 {
			return start + end
		}
	}
	return -1
}
