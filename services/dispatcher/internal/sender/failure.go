package sender

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxReason is how much of the reason for a missing answer is kept, in bytes: it may quote what others chose, such as the
// names in a certificate, and ends in logs, events, dead letters and records.
const maxReason = 512

// explain says why there is no answer, and what that means.
func explain(ctx context.Context, err error, timeout time.Duration, progress *egress.Progress, result *Result) {
	result.Verdict = Retry
	dial, atDial := errors.AsType[*egress.DialError](err)
	if atDial {
		progress.Made = dial.Times
	}
	result.Timing = timing(progress)
	request, isRequest := errors.AsType[*egress.RequestError](err)
	blocked, isBlocked := errors.AsType[*egress.BlockedError](err)
	switch {
	case ctx.Err() != nil:
		result.Verdict, result.Class = Interrupted, events.ErrorClassInterrupted
		result.Err = fmt.Errorf("the attempt was interrupted: %w", ctx.Err())
	case isRequest:
		result.Verdict, result.Class, result.Err, result.Sent = Misconfigured, events.ErrorClassEndpoint, request, nil
	case isBlocked:
		result.Verdict, result.Class, result.Err = Misconfigured, events.ErrorClassBlocked, blocked
	case atDial:
		result.Class, result.Err = explainDial(dial)
	case errors.Is(err, context.DeadlineExceeded):
		what := "no answer"
		if progress.Connected.IsZero() {
			what = "no connection"
		}
		result.Class = events.ErrorClassTimeout
		result.Err = fmt.Errorf("%s within %s: %w", what, timeout, context.DeadlineExceeded)
	default:
		result.Class, result.Err = explainAnswer(err)
	}
}

// explainDial says why there is no connection.
func explainDial(err *egress.DialError) (class string, said error) {
	switch err.Stage {
	case egress.StageDNS:
		return events.ErrorClassDNS, tidy("no address: ", err)
	case egress.StageTLS:
		return events.ErrorClassTLS, tidy("no TLS: ", err)
	default:
		return events.ErrorClassConnect, tidy("no connection: ", err)
	}
}

// explainAnswer says why an open connection brought no answer. What the receiver sent is not repeated: one that sends back
// what it gets would have our own headers in the error.
func explainAnswer(err error) (class string, said error) {
	text := err.Error()
	if network, ok := errors.AsType[*net.OpError](err); ok && network.Op == "remote error" { // an alert of TLS
		return events.ErrorClassTLS, tidy("no TLS: ", network)
	}
	for _, known := range [][2]string{
		{"headers exceeded", "its header is too long"},
		{"malformed HTTP version", "its version of HTTP is malformed"},
		{"malformed HTTP status code", "its status is malformed"},
		{"malformed HTTP response", "its first line is malformed"},
		{"malformed MIME header", "its header is malformed"},
		{"invalid header", "its header is malformed"},
		{"Content-Length", "its length is malformed"},
		{"unsupported transfer encoding", "its transfer encoding is not known"},
		{"1xx", "it has too many informational responses before it"},
	} {
		if strings.Contains(text, known[0]) {
			return events.ErrorClassProtocol, errors.New("the answer cannot be read: " + known[1])
		}
	}
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case ok && timeout.Timeout():
		return events.ErrorClassTimeout, errors.New("the connection fell silent")
	case isReset(err):
		return events.ErrorClassReset, errors.New("the receiver closed the connection before it had answered")
	default:
		return events.ErrorClassProtocol, errors.New("the answer cannot be read")
	}
}

// isReset reports whether the receiver ended a connection.
func isReset(err error) bool {
	for _, target := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// tidy returns an error that begins with what, and goes on with at most maxReason bytes of err on one line.
func tidy(what string, err error) error {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(err.Error(), "\uFFFD"))
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return errors.New(what + text)
}
