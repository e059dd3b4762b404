package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Bounds on what is read from a server, in bytes.
const (
	// MaxAnswer bounds a whole answer.
	MaxAnswer    = 32 << 20
	maxErrorBody = 64 << 10
	// trusted is for how much of an answer memory is made because the server has announced it.
	trusted = 256 << 10
	// smallest is the memory with which reading begins where a server does not say how much comes.
	smallest = 4 << 10
)

// Media types of answers.
const (
	TypeJSON        = "application/json"
	TypeEventStream = "text/event-stream"
	TypeNDJSON      = "application/x-ndjson"
)

// Request is one request.
type Request struct {
	// Path is below the base URL and starts with a slash.
	Path string
	// Body is posted as JSON; nil makes a GET.
	Body []byte
	// Accept is the media type that the answer must have.
	Accept string
	// Key is what Header sends to authenticate, or part of it: it is cut out of everything that the server says. It may be zero.
	Key secret.Value
	// Auth returns the header, name and value, that carries a key which is not zero. Nil is a bearer token.
	Auth func(key string) (name, value string)
	// Header is sent beside what this package sets: Content-Type, Accept, User-Agent and Auth's. It may be nil.
	Header http.Header
	// Heard, if it is set, gets the headers of an answer of status 200 before it is decoded.
	Heard func(h http.Header)
}

// Do makes one request and returns the answer if its status is 200 and its media type is what was asked for. Everything else is a
// fault. The caller closes the body, by [Close].
func (s *Server) Do(ctx context.Context, r Request) (*http.Response, error) {
	req, err := s.request(ctx, r)
	if err != nil {
		return nil, err
	}
	const own = 4 // headers that are set here
	req.Header = make(http.Header, len(r.Header)+own)
	maps.Copy(req.Header, r.Header)
	values := []string{TypeJSON, r.Accept, "mlsdm-integrations"}
	if r.Body != nil {
		req.Header["Content-Type"] = values[0:1:1]
	}
	req.Header["Accept"], req.Header["User-Agent"] = values[1:2:2], values[2:3:3]
	if err := s.authenticate(req, r); err != nil {
		return nil, err
	}
	res, err := s.send(req)
	if err != nil {
		return nil, s.Broke(ctx, err)
	}
	if res.StatusCode != http.StatusOK {
		defer Close(res)
		return nil, s.failure(res)
	}
	if kind := res.Header.Get("Content-Type"); kind != r.Accept {
		if got, _, err := mime.ParseMediaType(kind); err != nil || got != r.Accept {
			defer Close(res)
			return nil, s.Bad("content type %q instead of %q; does the base URL lead to the right API?", s.Clean(kind, 80), r.Accept)
		}
	}
	return res, nil
}

// target is where a path leads.
type target struct {
	path string
	url  *url.URL // which nobody changes
}

// request makes a request without headers.
func (s *Server) request(ctx context.Context, r Request) (*http.Request, error) {
	to := s.last.Load()
	if to == nil || to.path != r.Path { // nearly all requests go where the last one went
		parsed, err := url.Parse(s.base + r.Path)
		if err != nil {
			return nil, s.Invalid("the request cannot be made: %w", err)
		}
		to = &target{r.Path, parsed}
		s.last.Store(to)
	}
	bare := http.Request{Method: http.MethodGet, URL: to.url, Host: to.url.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	req := bare.WithContext(ctx)
	if text := r.Body; text != nil {
		req.Method, req.ContentLength = http.MethodPost, int64(len(text))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
		req.Body = io.NopCloser(bytes.NewReader(text))
		if len(text) == 0 {
			req.Body = http.NoBody
		}
	}
	return req, nil
}

// Call makes one request and decodes the whole JSON answer into out: names as they are written, unknown ones ignored.
func (s *Server) Call(ctx context.Context, r Request, out any) error {
	return s.Fetch(ctx, r, func(text []byte) error { return s.Decode(text, out) })
}

// Fetch makes one request and has the whole JSON answer read, of which nothing may be kept.
func (s *Server) Fetch(ctx context.Context, r Request, read func(text []byte) error) error {
	r.Accept = TypeJSON
	res, err := s.Do(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // an error says nothing that reading did not say
	buf, ok := s.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	answer, err := s.read(ctx, res, (*buf)[:0])
	defer func() {
		if cap(answer) <= maxKept { // what was decoded holds nothing of it
			*buf = answer
			s.buffers.Put(buf)
		}
	}()
	if err != nil {
		return err
	}
	if r.Heard != nil {
		r.Heard(res.Header)
	}
	return read(answer)
}

// maxKept is the largest buffer that is used again, in bytes.
const maxKept = 64 << 10

// read reads the whole answer into buf, which it makes larger as more comes, up to the bound.
func (s *Server) read(ctx context.Context, res *http.Response, buf []byte) ([]byte, error) {
	const most = MaxAnswer + 1 // one byte more than may come tells that it is more
	if res.ContentLength > MaxAnswer {
		return buf, s.tooLarge()
	}
	if size := res.ContentLength; size > 0 { // what a server says of its size is no reason to trust it with memory
		buf = slices.Grow(buf, int(min(size, trusted))+1)
	}
	for len(buf) < most {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(max(2*cap(buf), smallest), most))
			copy(grown, buf)
			buf = grown
		}
		n, err := res.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, s.Broke(ctx, err)
		}
	}
	return buf, s.tooLarge()
}

// send makes one request. [http.Client] does more only for redirects, cookies, a timeout of its own and credentials in URLs, none of
// which there are, and copies all headers for it.
func (s *Server) send(req *http.Request) (*http.Response, error) {
	if c := s.cfg.HTTP; c.Transport == nil || c.Jar != nil || c.Timeout > 0 {
		return c.Do(req)
	}
	return s.cfg.HTTP.Transport.RoundTrip(req)
}

func (s *Server) tooLarge() *llm.Fault {
	return s.Bad("it is larger than %d MiB; ask for less at a time", MaxAnswer>>20)
}

// Decode decodes one JSON text of the server's. What it cannot decode is told by its size only: it may hold anything.
func (s *Server) Decode(text []byte, out any) error {
	if err := json.Unmarshal(text, out, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return s.Bad("it is not the JSON that the protocol asks for (%d bytes)", len(text))
	}
	return nil
}

// Encode writes a request's body, as encoding/json would but faster.
func (s *Server) Encode(v any) ([]byte, error) {
	body, err := json.Marshal(v, jsonv1.OmitEmptyWithLegacySemantics(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, s.Invalid("the request cannot be written as JSON: %w", err)
	}
	return body, nil
}

// authenticate sets the header with the key.
func (s *Server) authenticate(req *http.Request, r Request) error {
	if r.Key.IsZero() {
		return nil
	}
	key := strings.TrimSpace(r.Key.Reveal())
	if key == "" || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return s.badKey(key == "")
	}
	s.sent.add(key)
	name, value := "Authorization", "Bearer "+key
	if r.Auth != nil {
		name, value = r.Auth(key)
	}
	req.Header.Set(name, value)
	return nil
}

// Broke is the fault of a request that ended without a whole answer. The cause is kept as cleaned text only: net/http
// quotes what it cannot understand, be it a header or a redirect, and a server may have put the API key there.
func (s *Server) Broke(ctx context.Context, cause error) *llm.Fault {
	if fault, ok := errors.AsType[*llm.Fault](context.Cause(ctx)); ok { // who ended the context says why
		return fault
	}
	e := llm.TransportError(ctx, s.cfg.Provider, cause)
	if e.Err == cause { //nolint:errorlint // it is asked whether this very error was kept
		e.Err = errors.New(s.Clean(cause.Error(), maxText))
	}
	fault := llm.FaultOf(e)
	if fault.Class == llm.ClassProvider { // it was never heard
		fault.Class = llm.ClassNetwork
	}
	return fault
}

// Close reads what little is left, so that the connection can be used again, and closes the body.
func Close(res *http.Response) {
	// Errors here concern only the reuse of the connection: the answer has been read, or given up.
	_, _ = io.CopyN(io.Discard, res.Body, maxErrorBody)
	_ = res.Body.Close()
}
