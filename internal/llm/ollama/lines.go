package ollama

import (
	"bufio"
	"bytes"
	"io"
)

// maxLine is the longest line that is read, in bytes.
const maxLine = 1 << 20

// lines reads a stream of lines (NDJSON); empty ones are passed over.
type lines struct {
	*bufio.Scanner

	// whole says that the line which was read last had its end.
	whole bool
}

// newLines returns a reader of the lines of r.
func newLines(r io.Reader) *lines {
	l := &lines{Scanner: bufio.NewScanner(r)}
	l.Buffer(make([]byte, 0, 8<<10), maxLine)
	l.Split(l.split)
	return l
}

// next reads the next line that is not empty, and reports whether there is one.
func (l *lines) next() ([]byte, bool) {
	for l.Scan() {
		if line := bytes.TrimSpace(l.Bytes()); len(line) > 0 {
			return line, true
		}
	}
	return nil, false
}

// split is a [bufio.SplitFunc].
func (l *lines) split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		l.whole = true
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		l.whole = false
		return len(data), data, nil
	}
	return 0, nil, nil
}
