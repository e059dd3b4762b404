package wire

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// Read makes one request and has read read the JSON answer as it comes: all of it, of which there may be most bytes. What read returns
// is the caller's fault to word: a *[llm.Fault] is returned as it is, anything else is an answer that breaks the protocol, unless the
// connection broke before.
func (s *Server) Read(ctx context.Context, r Request, most int64, read func(io.Reader) error) error {
	r.Accept = TypeJSON
	res, err := s.Do(ctx, r)
	if err != nil {
		return err
	}
	defer Close(res)
	if res.ContentLength > most {
		return s.larger(most)
	}
	if r.Heard != nil {
		r.Heard(res.Header)
	}
	body := &bounded{src: http.MaxBytesReader(nil, res.Body, most)}
	err = read(body)
	if err == nil {
		return nil
	}
	if body.err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](body.err); large {
			return s.larger(most)
		}
		return s.Broke(ctx, body.err)
	}
	if fault, ok := errors.AsType[*llm.Fault](err); ok {
		return fault
	}
	return s.Bad("%w", err)
}

// larger is the fault of an answer of more bytes than it may have.
func (s *Server) larger(most int64) *llm.Fault {
	return s.Bad("it is larger than %d KiB; ask for less at a time", most>>10)
}

// bounded is a body, and why it ended if that was too early.
type bounded struct {
	src io.Reader
	err error
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err //nolint:wrapcheck // io.EOF must stay itself
}
