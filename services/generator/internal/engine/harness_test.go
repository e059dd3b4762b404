package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// step is what a fake adapter does at one call. emit is nil when the answer is wanted in one piece.
type step func(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) (*events.ChatResponse, error)

// seen is a call that was made.
type seen struct {
	provider, model, key string
	at                   time.Duration // since the begin of the world
}

// world is all fake providers of a test, and what they were asked.
type world struct {
	mu    sync.Mutex
	begin time.Time
	calls []seen
	steps map[string][]step // by provider, or provider/key; the last of them is for all further calls
}

func newWorld() *world { return &world{begin: time.Now(), steps: make(map[string][]step)} }

// on says what a provider, or a provider with one key, does at its next calls.
func (w *world) on(name string, steps ...step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps[name] = steps
}

// asked returns the calls as "provider:key provider:key", with "@time" where time has passed since the one before.
func (w *world) asked() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	last := time.Duration(0)
	for _, c := range w.calls {
		text := c.provider
		if c.key != "" {
			text += ":" + c.key
		}
		if c.at != last {
			text += "@" + c.at.String()
		}
		last = c.at
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

// next notes a call and returns what is to be done.
func (w *world) next(provider string, call *llm.Call) step {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := call.Key.Reveal()
	w.calls = append(w.calls, seen{provider, call.Model, key, time.Since(w.begin)})
	for _, name := range []string{provider + "/" + key, provider} {
		steps := w.steps[name]
		if len(steps) == 0 {
			continue
		}
		if len(steps) > 1 {
			w.steps[name] = steps[1:]
		}
		return steps[0]
	}
	return says("hello")
}

// fake is an [llm.Adapter] of a world.
type fake struct {
	world *world
	name  string
}

// Chat implements [llm.Adapter].
func (f fake) Chat(ctx context.Context, call *llm.Call) (*events.ChatResponse, error) {
	return f.world.next(f.name, call)(ctx, call, nil)
}

// Stream implements [llm.Adapter].
func (f fake) Stream(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
	_, err := f.world.next(f.name, call)(ctx, call, emit)
	return err
}

// usage is what every answer of a fake is said to have used.
func usage() *events.ChatUsage {
	return &events.ChatUsage{PromptTokens: 3, CompletionTokens: 5, TotalTokens: 8}
}

// chunk is a chunk with a text.
func chunk(text string) *events.ChatChunk {
	return &events.ChatChunk{
		ID: "id", Object: events.ObjectChatCompletionChunk, Created: 7, Model: "own",
		Choices: []events.ChatChunkChoice{{Delta: events.ChatDelta{Content: text}}},
	}
}

// begin emits what comes before the first word: a role, and nothing.
func begin(emit func(*events.ChatChunk) error) error {
	role := chunk("")
	role.Choices[0].Delta.Role = events.RoleAssistant
	if err := emit(role); err != nil {
		return err
	}
	return emit(chunk(""))
}

// says answers with words, joined to one text.
func says(words ...string) step {
	return func(_ context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) (*events.ChatResponse, error) {
		if emit == nil {
			return &events.ChatResponse{
				ID: "id", Object: events.ObjectChatCompletion, Created: 7, Model: "own", Usage: usage(),
				Choices: []events.ChatChoice{{
					Message:      events.ChatMessage{Role: events.RoleAssistant, Content: events.TextContent(strings.Join(words, ""))},
					FinishReason: events.FinishStop,
				}},
			}, nil
		}
		if err := begin(emit); err != nil {
			return nil, err
		}
		for _, word := range words {
			if err := emit(chunk(word)); err != nil {
				return nil, err
			}
		}
		last, reason := chunk(""), events.FinishStop
		last.Choices[0].FinishReason = &reason
		if err := emit(last); err != nil {
			return nil, err
		}
		return nil, emit(&events.ChatChunk{ID: "id", Object: events.ObjectChatCompletionChunk, Choices: []events.ChatChunkChoice{}, Usage: usage()})
	}
}

// fails fails; a stream after some words.
func fails(f *llm.Fault, words ...string) step {
	return func(_ context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) (*events.ChatResponse, error) {
		if emit == nil {
			return nil, f
		}
		if err := begin(emit); err != nil {
			return nil, err
		}
		for _, word := range words {
			if err := emit(chunk(word)); err != nil {
				return nil, err
			}
		}
		return nil, f
	}
}

// hangs does nothing until the call is ended, but say some words first.
func hangs(words ...string) step {
	return func(ctx context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) (*events.ChatResponse, error) {
		for _, word := range words {
			if emit == nil {
				break
			}
			if err := emit(chunk(word)); err != nil {
				return nil, err
			}
		}
		<-ctx.Done()
		return nil, ended(ctx)
	}
}

// ended is what an adapter makes of a context that has ended.
func ended(ctx context.Context) error {
	if f, ok := context.Cause(ctx).(*llm.Fault); ok { //nolint:errorlint // it is the cause itself
		return f
	}
	return llm.TransportError(ctx, "fake", ctx.Err())
}

// wait waits as an adapter does.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// status is the fault of an HTTP status.
func status(code int, reasons ...string) *llm.Fault {
	return llm.Failure{Provider: "a", Status: code, Reasons: reasons}.Fault()
}

// retryAfter is the fault of an HTTP status with a time.
func retryAfter(code int, seconds string) func() *llm.Fault {
	return func() *llm.Fault {
		return llm.Failure{Provider: "a", Status: code, Header: http.Header{"Retry-After": {seconds}}}.Fault()
	}
}

// network is the fault of a connection that broke.
func network() *llm.Fault {
	return &llm.Fault{Class: llm.ClassNetwork, Err: llm.Unavailable("a", "the connection broke")}
}

// badAnswer is the fault of an answer that nobody understands.
func badAnswer() *llm.Fault {
	return &llm.Fault{Class: llm.ClassAnswer, Err: llm.BadAnswer("a", "it is not JSON")}
}

// keys makes keys whose names are their contents.
func keys(names ...string) []providers.Key {
	var list []providers.Key
	for _, name := range names {
		list = append(list, providers.Key{Name: name, Value: secret.NewValue(name)})
	}
	return list
}

// half is a random number.
func half() float64 { return 0.5 }

// newEngine makes an engine of the fake providers of a world: a has the keys k1 and k2, b has k3, c has none.
func newEngine(t testing.TB, w *world, change func(*engine.Config)) *engine.Engine {
	t.Helper()
	return newEngineOf(t, change,
		engine.Provider{Name: "a", Adapter: fake{w, "a"}, Keys: keys("k1", "k2")},
		engine.Provider{Name: "b", Adapter: fake{w, "b"}, Keys: keys("k3")},
		engine.Provider{Name: "c", Adapter: fake{w, "c"}},
	)
}

func newEngineOf(t testing.TB, change func(*engine.Config), providers ...engine.Provider) *engine.Engine {
	t.Helper()
	cfg := engine.Config{Retries: 2, Random: half, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	e, err := engine.New(cfg, providers)
	require.NoError(t, err)
	return e
}

// to makes a route to targets, "provider/model", one tier each.
func to(t testing.TB, targets ...string) *route.Route {
	t.Helper()
	alias := route.Alias{Name: "alias"}
	seen := make(map[string]bool)
	var list []providers.Provider
	for _, id := range targets {
		provider, model, _ := strings.Cut(id, "/")
		alias.Tiers = append(alias.Tiers, []route.Target{{Provider: provider, Model: model}})
		if !seen[provider] {
			seen[provider] = true
			list = append(list, providers.Provider{Name: provider, Protocol: vendors.OpenAI, BaseURL: "http://localhost/v1"})
		}
	}
	table, err := route.New(list, []route.Alias{alias})
	require.NoError(t, err)
	r, err := table.Resolve("alias")
	require.NoError(t, err)
	return r
}

// with returns a copy of a route with other options.
func with(r *route.Route, o route.Options) *route.Route {
	changed := *r
	changed.Options = o
	return &changed
}

// reader takes a stream.
type reader struct {
	chunks []events.ChatChunk
	text   strings.Builder
}

func (r *reader) emit(c *events.ChatChunk) error {
	kept := *c
	kept.Choices = append([]events.ChatChunkChoice(nil), c.Choices...)
	r.chunks = append(r.chunks, kept)
	for _, choice := range c.Choices {
		r.text.WriteString(choice.Delta.Content)
	}
	return nil
}

// request is a request.
func request() *events.ChatRequest { return &events.ChatRequest{Prompt: "hello?"} }

// ask asks, for a stream if r is not nil.
func ask(ctx context.Context, e *engine.Engine, to *route.Route, r *reader) (*engine.Result, error) {
	a := engine.Ask{Route: to, Request: request(), Caller: "test"}
	if r != nil {
		a.Emit = r.emit
	}
	return e.Do(ctx, a)
}

// text is the text of an answer.
func text(res *events.ChatResponse) string {
	if res == nil {
		return ""
	}
	var all strings.Builder
	for _, c := range res.Choices {
		all.WriteString(c.Message.Content.Text)
	}
	return all.String()
}

// tried writes attempts as "provider:key=class".
func tried(res *engine.Result) string {
	var list []string
	for _, a := range res.Attempts {
		class := a.Class
		if class == "" {
			class = "ok"
		}
		list = append(list, fmt.Sprintf("%s:%s=%s", a.Target.Provider, a.Key, class))
	}
	return strings.Join(list, " ")
}
