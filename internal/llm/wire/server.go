package wire

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Config describes a server.
type Config struct {
	// Provider is the name under which the server is known here, for example "openai". It stands in every error.
	Provider string
	// BaseURL is what all paths are below, for example "https://api.openai.com/v1".
	BaseURL string
	// HTTP makes the requests; [llm.NewHTTPClient] makes one that fits. It must not follow redirects.
	HTTP *http.Client
	// ReadError reads the server's words out of the body of an error, and nothing else: status and headers are added. Nil knows
	// the forms that are about (see [ReadError]).
	ReadError func(body []byte) llm.Failure
	// Understand adds to a failure, whose status, reasons and text are known by then, the reasons for which the server has no word of
	// its own; those count more than the others. Nil adds nothing to what all servers are known to mean.
	Understand func(f *llm.Failure)
	// Reset reads from the headers of an answer when a limit that is used up starts anew; zero when they do not say. It is asked
	// only where Retry-After is missing. Nil asks nothing.
	Reset func(h http.Header, now time.Time) time.Time
	// RequestID is the header in which the server names a request; empty is "X-Request-Id".
	RequestID string
}

// Server is one server. It is safe for concurrent use.
type Server struct {
	cfg  Config
	base string
	sent sentKeys

	last    atomic.Pointer[target]
	buffers sync.Pool // of *[]byte
}

// New checks cfg and returns a Server. It connects to nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Provider == "" || cfg.HTTP == nil {
		return nil, errors.New("wire: Provider and HTTP must be set")
	}
	base, err := CheckBaseURL(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Provider, err)
	}
	if cfg.ReadError == nil {
		cfg.ReadError = ReadError
	}
	if cfg.RequestID == "" {
		cfg.RequestID = "X-Request-Id"
	}
	return &Server{cfg: cfg, base: base}, nil
}

// Provider returns the name under which the server is known here.
func (s *Server) Provider() string { return s.cfg.Provider }

// CheckBaseURL checks that raw is an absolute http or https URL without credentials, query and fragment, and returns it
// without a slash at its end.
func CheckBaseURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil: // the parser's words repeat the URL, and a URL may hold a password
		return "", errors.New("the base URL is not a URL")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return "", errors.New("the base URL must start with http:// or https:// and name a host")
	case u.User != nil:
		return "", errors.New("the base URL must not hold credentials; use the API key")
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("the base URL must not have a query or a fragment")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// Bad is the fault of an answer that breaks the server's own protocol.
func (s *Server) Bad(format string, args ...any) *llm.Fault {
	return &llm.Fault{Class: llm.ClassAnswer, Err: llm.BadAnswer(s.cfg.Provider, format, args...)}
}

// Refuse is the fault of a request that the server cannot honour; field is the name of what is asked for, why ends the sentence that
// starts with it.
func (s *Server) Refuse(field, why string) *llm.Fault {
	return &llm.Fault{Class: llm.ClassUnsupported, Err: llm.Refuse(s.cfg.Provider, "%s: %s", field, why)}
}

// TooMuch is the fault of a request that is more than the server takes at once: less of it, or another server, may do.
func (s *Server) TooMuch(format string, args ...any) *llm.Fault {
	fault := s.Invalid(format, args...)
	fault.Class = llm.ClassUnsupported
	return fault
}

// BrokeOff is the fault of an answer that ended too early.
func (s *Server) BrokeOff(format string, args ...any) *llm.Fault {
	return &llm.Fault{Class: llm.ClassNetwork, Err: llm.Unavailable(s.cfg.Provider, format, args...)}
}

// Invalid is the fault of a request that cannot be written for the server.
func (s *Server) Invalid(format string, args ...any) *llm.Fault {
	e := events.Errorf(events.CodeInvalidArgument, format, args...)
	e.Provider = s.cfg.Provider
	return &llm.Fault{Class: llm.ClassCaller, Err: e}
}
