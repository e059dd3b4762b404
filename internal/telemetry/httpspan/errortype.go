package httpspan

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Error types of requests that had no answer, where the type of a Go error says less.
const (
	ErrorCanceled    = "canceled"
	ErrorTimeout     = "timeout"
	ErrorDNS         = "name_resolution_error"
	ErrorCertificate = "server_certificate_invalid"
	ErrorTLS         = "tls_error"
	ErrorRefused     = "connection_refused"
	ErrorReset       = "connection_reset"
	ErrorOther       = "_OTHER"
)

// ErrorType returns the error.type of a request that had no answer: a word for what is common, and else the type of the innermost
// error. It never has the text of the error in it, which may quote the URL.
func ErrorType(err error) string {
	if err == nil {
		return ""
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return ErrorDNS
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return ErrorCertificate
	}
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return ErrorCanceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), ok && timeout.Timeout():
		return ErrorTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return ErrorRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed):
		return ErrorReset
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return ErrorTLS
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return ErrorTLS
	}
	return innermost(err)
}

// innermost names the type of what an error wraps in the end.
func innermost(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	switch name := fmt.Sprintf("%T", err); name {
	case "*errors.errorString", "*fmt.wrapError", "*fmt.wrapErrors", "*errors.joinError":
		return ErrorOther // which says nothing
	default:
		return name
	}
}
