package bounded

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// maxWhy is how much is said of a certificate, in bytes.
const maxWhy = 300

// Why says why a store gave no answer that can be read, in words that hold nothing of what it did answer: the errors of
// clients and decoders repeat what they could not read, which may be a secret.
func Why(err error) string {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fmt.Sprintf("its answer has more than %d bytes", large.Limit)
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		text := bad.Error()
		return text[:min(len(text), maxWhy)]
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return lookup.Error()
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "it does not answer in time"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "its answer ends in the middle"
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return fmt.Sprintf("its answer cannot be read, or there is none (%T)", err)
}
