package egress

import (
	"errors"
	"fmt"
	"net/textproto"
	"strings"
)

// ErrRequest is a request that cannot be sent as it is, to nobody.
var ErrRequest = errors.New("egress: request not usable")

// RequestError says why a request is not sent. It names a header, and never quotes a value or the URL.
type RequestError struct {
	// Reason is what is wrong.
	Reason string
}

// Error implements error.
func (e *RequestError) Error() string { return e.Reason }

// Unwrap returns [ErrRequest].
func (e *RequestError) Unwrap() error { return ErrRequest }

// Field is one line of a request's head.
type Field struct {
	// Name is the header's name, in any case.
	Name string
	// Value is one line. White space around it is not sent.
	Value string
}

// appendField appends the line of a field, or refuses one that would end early or change how the request is read: nothing
// gets into a head that was not looked at here.
func appendField(head []byte, f Field) ([]byte, error) {
	switch {
	case !isToken(f.Name):
		return head, &RequestError{Reason: fmt.Sprintf("%.40q is not the name of a header", f.Name)}
	case ofConnection(f.Name):
		return head, &RequestError{Reason: "the header " + f.Name + " belongs to the connection and cannot be set"}
	case hasControl(f.Value):
		return head, &RequestError{Reason: "the value of the header " + f.Name + " has a control character"}
	}
	return appendLine(head, f.Name, textproto.TrimString(f.Value)), nil
}

// appendLine appends a line whose parts have been checked.
func appendLine(head []byte, name, value string) []byte {
	head = append(append(head, name...), ": "...)
	return append(append(head, value...), "\r\n"...)
}

// isToken reports whether name is a token of RFC 9110, 5.6.2.
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-':
		case strings.IndexByte("!#$%&'*+.^_`|~", c) < 0:
			return false
		}
	}
	return name != ""
}

// ofConnection reports whether a header is not the sender's to set: it says where the request ends, or whose it is.
func ofConnection(name string) bool {
	for _, other := range [...]string{
		"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Upgrade", "Expect",
	} {
		if len(name) == len(other) && strings.EqualFold(name, other) {
			return true
		}
	}
	return false
}

// hasControl reports whether a value has a control character other than a tab.
func hasControl(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
