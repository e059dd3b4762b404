// Package rawrequest reads one HTTP request as people save it: whole, as headers alone, as `curl -v` shows it, or in the
// middle of what tcpdump prints.
package rawrequest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"regexp"
	"strconv"
	"strings"
)

// Bounds of what is read.
const (
	maxHeaders  = 200
	maxPreamble = 4 << 10 // what may stand before the request line
)

// Request is a request as it was saved.
type Request struct {
	// Method and Target are those of the request line; empty where there is none.
	Method, Target string
	Header         http.Header
	// Body is what follows the blank line; nil where there is no blank line.
	Body []byte
	// Notes are what was done to what was saved, and what looks wrong about it.
	Notes []string
}

// Parse reads a request: a request line, which may be left out, headers, a blank line and the body, the last two of which
// may be left out too. Lines end in LF or CR LF. What stands before the request line is left out, and so is the "> " with
// which `curl -v` starts each line. The errors name the line.
func Parse(data []byte) (Request, error) {
	r := Request{Header: http.Header{}}
	number, mark := 1, ""
	if method, target, mk, start, end := requestLine(data); method != "" {
		r.Method, r.Target, mark = method, target, mk
		if skipped := start - len(mk); skipped > 0 {
			r.note("left out %d bytes before the request line", skipped)
		}
		number += bytes.Count(data[:end], []byte("\n"))
		data = data[end:]
	}
	for {
		if len(data) == 0 {
			return r, r.check()
		}
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		text, marked := strings.CutPrefix(string(bytes.TrimSuffix(line, []byte("\r"))), strings.TrimRight(mark, " "))
		if !marked {
			return r, fmt.Errorf("line %d does not start with %q as the request line does", number, mark)
		}
		if mark != "" {
			text = strings.TrimPrefix(text, " ")
		}
		data = rest
		if text == "" {
			if mark == "" {
				r.Body = data
			}
			return r, r.check()
		}
		if err := r.header(text); err != nil {
			return r, fmt.Errorf("line %d %w", number, err)
		}
		number++
	}
}

// note adds a note.
func (r *Request) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// header reads one line of the headers.
func (r *Request) header(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isName(name) {
		return errors.New("is no header such as \"webhook-id: msg_1\"")
	}
	if len(r.Header) >= maxHeaders {
		return fmt.Errorf("is more than the %d headers that are read", maxHeaders)
	}
	r.Header.Add(name, strings.Trim(value, " \t"))
	return nil
}

// check refuses what has nothing of a request.
func (r *Request) check() error {
	if len(r.Header) == 0 {
		return errors.New("there are no headers in it: a request has lines such as \"webhook-id: msg_1\", a blank line and its body")
	}
	return nil
}

// requestLine finds the request line: in the first line that looks like one and is followed by a header. It returns where
// that line starts and ends, and the mark of `curl -v` if it stands before it.
func requestLine(data []byte) (method, target, mark string, start, end int) {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	if name, _, ok := bytes.Cut(first, []byte(":")); ok && isName(string(name)) {
		return "", "", "", 0, 0
	}
	line := regexp.MustCompile(`(> )?(DELETE|GET|PATCH|POST|PUT) (\S+) HTTP/[0-9.]+\r?\n`)
	for _, at := range line.FindAllSubmatchIndex(data[:min(len(data), maxPreamble)], -1) {
		mark := ""
		if at[2] >= 0 {
			mark = "> "
		}
		next, _, _ := bytes.Cut(data[at[1]:], []byte("\n"))
		name, _, ok := bytes.Cut(bytes.TrimPrefix(next, []byte(mark)), []byte(":"))
		if ok && isName(string(name)) {
			return string(data[at[4]:at[5]]), string(data[at[6]:at[7]]), mark, at[4], at[1]
		}
	}
	return "", "", "", 0, 0
}

// isName reports whether s can be the name of a header as they are in use: a letter, and then letters, digits and dashes.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '-' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// Fit makes the body what was sent, as far as the headers tell: it undoes chunks, and takes off what stands after the end. It
// notes what it did, and a body that is too short.
func (r *Request) Fit() {
	if strings.EqualFold(r.Header.Get("Transfer-Encoding"), "chunked") {
		body, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(r.Body)))
		if err != nil {
			r.note("Transfer-Encoding is chunked and the body is not: it is taken as it is")
			return
		}
		r.note("put the chunks of the body together: %d bytes", len(body))
		r.Body = body
		return
	}
	length := r.Header.Get("Content-Length")
	if length == "" {
		return
	}
	n, err := strconv.Atoi(length)
	switch {
	case err != nil || n < 0:
		r.note("Content-Length is not a number")
	case n < len(r.Body):
		r.note("left out %d bytes after the end of the body, which Content-Length says has %d", len(r.Body)-n, n)
		r.Body = r.Body[:n]
	case n > len(r.Body):
		r.note("the body has %d bytes, and Content-Length says %d: something is missing", len(r.Body), n)
	}
}
