package moral

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// scorerName is how the scorer is called in errors.
const scorerName = "moral filter"

// maxScore is the longest answer of a scorer, in bytes.
const maxScore = 256 << 10

// question is a text to be scored.
type question struct {
	Subject

	stage string
	text  string
}

// verdict is what a scorer says of a text.
type verdict struct {
	score      float64
	reason     string   // its own words, which may hold the text
	categories []string // what it found
}

// scorer is one that is asked. It is safe for concurrent use.
type scorer interface {
	score(ctx context.Context, key secret.Value, q question) (verdict, error)
}

// endpoint returns the part of the address of a scorer that is a base URL, and the path below it.
func endpoint(s *ScorerConfig) (base, path string, err error) {
	if s.Kind == Moderation {
		if base, err = wire.CheckBaseURL(s.URL); err != nil {
			return "", "", err
		}
		return base, "/moderations", nil
	}
	if _, err := wire.CheckBaseURL(s.URL); err != nil {
		return "", "", errors.New(strings.ReplaceAll(err.Error(), "base URL", "URL"))
	}
	u, err := url.Parse(s.URL)
	if err != nil { // CheckBaseURL has parsed it
		return "", "", errors.New("the URL is not a URL")
	}
	base = u.Scheme + "://" + u.Host
	if path = u.EscapedPath(); path == "" {
		path = "/"
	}
	return base, path, nil
}

// guard asks a scorer within bounds: of time, of tries, and not at all while it fails.
type guard struct {
	scorer  scorer
	key     secret.Value
	timeout time.Duration
	breaker breaker
	log     *slog.Logger
	observe func(took time.Duration, ok bool)
}

// newGuard returns what asks the scorer of a configuration.
func newGuard(c *ScorerConfig, client *http.Client, log *slog.Logger) (*guard, error) {
	base, path, err := endpoint(c)
	if err != nil {
		return nil, fmt.Errorf("the scorer of the moral filter: %w", err)
	}
	server, err := wire.New(wire.Config{Provider: scorerName, BaseURL: base, HTTP: client})
	if err != nil {
		return nil, fmt.Errorf("the scorer of the moral filter: %w", err)
	}
	g := &guard{key: c.Key, timeout: c.Timeout, log: log, observe: func(time.Duration, bool) {}}
	if c.Kind == Moderation {
		g.scorer = &moderation{server: server, path: path, model: c.Model}
		return g, nil
	}
	header := make(http.Header, len(c.Header))
	for name, value := range c.Header {
		header.Set(name, value)
	}
	g.scorer = &custom{server: server, path: path, header: header}
	return g, nil
}

// score asks for a score, twice at most. Every error is an [llm.Fault]; of what the scorer said in it nothing may be repeated, since it
// may be the text.
func (g *guard) score(ctx context.Context, q question) (verdict, error) {
	entry, wait := g.breaker.enter(time.Now())
	if wait > 0 {
		fault := llm.FaultOf(llm.Unavailable(scorerName, "it has failed too often"))
		fault.Err.RetryAfter = wait
		return verdict{}, fault
	}
	defer entry.leave() // whatever happens: others wait for how a probe ends
	begin := time.Now()
	bounded, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	sent := g.key.Reveal()
	v, err := g.scorer.score(bounded, g.key, q)
	if err != nil && bounded.Err() == nil && g.worthATry(bounded, err, sent) {
		v, err = g.scorer.score(bounded, g.key, q)
	}
	if err != nil && ctx.Err() != nil { // who asked is gone: that says nothing of the scorer
		return verdict{}, llm.FaultOf(context.Cause(ctx))
	}
	g.observe(time.Since(begin), err == nil)
	g.learn(ctx, entry, err)
	return v, err
}

// worthATry reports whether a second try may go better.
func (g *guard) worthATry(ctx context.Context, err error, sent string) bool {
	switch fault := llm.FaultOf(err); fault.Class {
	case llm.ClassKey:
		_, changed := g.key.Renew(ctx, sent)
		return changed
	case llm.ClassProvider, llm.ClassNetwork:
		return fault.Until.IsZero()
	case llm.ClassCaller, llm.ClassContent, llm.ClassUnsupported, llm.ClassModel, llm.ClassLimit, llm.ClassQuota, llm.ClassTimeout,
		llm.ClassAnswer, llm.ClassCanceled:
		return false
	default:
		return false
	}
}

// learn tells the breaker how it went.
func (g *guard) learn(ctx context.Context, entry *entry, err error) {
	if err == nil {
		if entry.worked() {
			g.log.InfoContext(ctx, "the scorer of the moral filter works again")
		}
		return
	}
	fault := llm.FaultOf(err)
	if fault.Class == llm.ClassCaller || fault.Class == llm.ClassContent { // it is there, and does not want this text
		return
	}
	if entry.failed(time.Now(), fault.Until) {
		g.log.ErrorContext(ctx, "the scorer of the moral filter fails, and is left alone for a while",
			"class", string(fault.Class), "code", string(fault.Err.Code))
	}
}

// post asks a server one question and decodes its answer, which is bounded.
func post(ctx context.Context, server *wire.Server, r wire.Request, question, answer any) error {
	body, err := server.Encode(question)
	if err != nil {
		return err
	}
	r.Body, r.Accept = body, wire.TypeJSON
	res, err := server.Do(ctx, r) //nolint:bodyclose // wire.Close closes it
	if err != nil {
		return err
	}
	defer wire.Close(res)
	text, err := io.ReadAll(io.LimitReader(res.Body, maxScore+1))
	if err != nil {
		return server.Broke(ctx, err)
	}
	if len(text) > maxScore {
		return server.Bad("it is larger than %d KiB", maxScore>>10)
	}
	return server.Decode(text, answer)
}
