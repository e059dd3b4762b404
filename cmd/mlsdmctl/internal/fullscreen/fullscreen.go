// Package fullscreen draws full pages on a terminal, again and again and without flicker, and gives the terminal back as it was.
package fullscreen

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// What a terminal is told (ECMA-48, and the private modes of xterm).
const (
	enter    = "\x1b[?1049h\x1b[?25l\x1b[?7l" // the other page; no cursor; no wrapping
	leave    = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	begin    = "\x1b[?2026h\x1b[H" // drawn at once, where the terminal knows how; from the upper left corner
	end      = "\x1b[J\x1b[?2026l" // nothing below
	endLine  = "\x1b[K"            // nothing to the right
	nextLine = "\r\n"
)

// Size of a terminal that does not tell.
const (
	usualColumns = 80
	usualRows    = 24
)

// Screen is a terminal that is drawn on. Make one with [Open]; it is for one goroutine.
type Screen struct {
	in, out *os.File
	restore func() error
	once    sync.Once
	drawn   string
	columns int
	rows    int
	keys    chan byte
	closed  chan struct{}
	reading sync.WaitGroup
}

// ErrNoTerminal is that of streams that are no terminal.
var ErrNoTerminal = errors.New("the standard input and output are no terminal")

// Open takes over a terminal: keys are read as they are pressed, and are not shown. Ctrl-C stays a signal. [Screen.Close] gives it back.
func Open(in, out *os.File) (*Screen, error) {
	restore, err := unbuffered(in)
	if err != nil {
		return nil, err
	}
	s := &Screen{in: in, out: out, restore: restore, keys: make(chan byte, 64), closed: make(chan struct{})}
	if _, err := io.WriteString(out, enter); err != nil {
		return nil, errors.Join(err, restore())
	}
	s.reading.Go(s.read)
	return s, nil
}

// Keys are the bytes that are typed. It is never closed.
func (s *Screen) Keys() <-chan byte { return s.keys }

// read reads keys until the screen is closed. A read ends by itself after a moment without a key.
func (s *Screen) read() {
	buffer := make([]byte, 16)
	for {
		n, err := s.in.Read(buffer)
		for _, key := range buffer[:n] {
			select {
			case s.keys <- key:
			case <-s.closed:
				return
			}
		}
		wait := time.Duration(0)
		if err != nil && !errors.Is(err, io.EOF) { // the terminal has gone; whoever draws will notice
			wait = time.Second
		}
		select {
		case <-s.closed:
			return
		case <-time.After(wait):
		}
	}
}

// Size returns how many columns and rows the terminal has now.
func (s *Screen) Size() (columns, rows int) {
	columns, rows = size(s.out)
	if columns <= 0 || rows <= 0 {
		return usualColumns, usualRows
	}
	return columns, rows
}

// Draw shows lines from the top on, as many and as much of each as there is room for. What has not changed is not sent.
func (s *Screen) Draw(lines []string) error {
	columns, rows := s.Size()
	page := compose(lines, columns, rows)
	if page == s.drawn && columns == s.columns && rows == s.rows {
		return nil
	}
	s.drawn, s.columns, s.rows = page, columns, rows
	_, err := io.WriteString(s.out, begin+page+end)
	return err
}

// compose makes a page of lines.
func compose(lines []string, columns, rows int) string {
	var b strings.Builder
	for i, line := range lines[:min(len(lines), rows)] {
		if i > 0 {
			b.WriteString(nextLine)
		}
		b.WriteString(Cut(line, columns) + endLine)
	}
	return b.String()
}

// Cut cuts a line to a number of columns. Colours count for nothing, and are ended.
func Cut(line string, columns int) string {
	const reset = "\x1b[0m"
	seen := 0
	for i := 0; i < len(line); {
		if line[i] == '\x1b' {
			stop := strings.IndexByte(line[i:], 'm')
			if stop < 0 {
				return line[:i]
			}
			i += stop + 1
			continue
		}
		_, n := utf8.DecodeRuneInString(line[i:])
		if seen == columns {
			if strings.Contains(line[:i], "\x1b[") {
				return line[:i] + reset
			}
			return line[:i]
		}
		seen++
		i += n
	}
	return line
}

// Close gives the terminal back as it was. Doing so twice is no error.
func (s *Screen) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		s.reading.Wait()
		_, err = io.WriteString(s.out, leave)
		err = errors.Join(err, s.restore())
	})
	return err
}
