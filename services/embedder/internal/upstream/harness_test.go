package upstream_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/upstream"
)

// step is what a fake does at one call.
type step func(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error)

// fake is an adapter, and what it was asked.
type fake struct {
	mu    sync.Mutex
	begin time.Time
	asked []string
	// steps are those of a key, or of "" for all; the last is for all further calls.
	steps  map[string][]step
	limits func(ctx context.Context, key string) (llm.EmbedLimits, error)
}

func newFake() *fake { return &fake{begin: time.Now(), steps: make(map[string][]step)} }

// on says what is done at the next calls with a key.
func (f *fake) on(key string, steps ...step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps[key] = steps
}

// Embed implements [llm.EmbedAdapter].
func (f *fake) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	return f.next(call.Key.Reveal())(ctx, call)
}

func (f *fake) next(key string) step {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := key
	if at := time.Since(f.begin); at > 0 {
		text += "@" + at.String()
	}
	f.asked = append(f.asked, text)
	for _, name := range []string{key, ""} {
		steps := f.steps[name]
		if len(steps) > 1 {
			f.steps[name] = steps[1:]
		}
		if len(steps) > 0 {
			return steps[0]
		}
	}
	return answers
}

// EmbedLimits implements [llm.EmbedAdapter].
func (f *fake) EmbedLimits(ctx context.Context, _ string, key secret.Value) (llm.EmbedLimits, error) {
	return f.limits(ctx, key.Reveal())
}

// calls are those that were made: the key, and "@time" since the begin.
func (f *fake) calls() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.asked, " ")
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// answers answers rightly.
func answers(_ context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	e := &llm.Embedded{PromptTokens: len(call.Texts)}
	for range call.Texts {
		e.Vectors = append(e.Vectors, []float32{1})
	}
	return e, nil
}

// fails fails.
func fails(fault *llm.Fault) step {
	return func(context.Context, *llm.EmbedCall) (*llm.Embedded, error) { return nil, fault }
}

// status fails with an HTTP status, and headers in pairs.
func status(code int, header ...string) step {
	return func(context.Context, *llm.EmbedCall) (*llm.Embedded, error) {
		h := make(http.Header)
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return nil, llm.Failure{Provider: "a", Status: code, Header: h}.Fault()
	}
}

// reason fails with an HTTP status and a word of the provider's own.
func reason(code int, word string) step {
	return fails(llm.Failure{Provider: "a", Status: code, Reasons: []string{word}}.Fault())
}

// network fails as a connection that breaks.
func network() step {
	return fails(&llm.Fault{Class: llm.ClassNetwork, Err: llm.Unavailable("a", "the connection broke")})
}

// badAnswer fails with what nobody understands.
func badAnswer() step {
	return fails(&llm.Fault{Class: llm.ClassAnswer, Err: llm.BadAnswer("a", "it is not JSON")})
}

// takes answers after a while, unless it is ended before.
func takes(d time.Duration) step {
	return func(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
		select {
		case <-time.After(d):
			return answers(ctx, call)
		case <-ctx.Done():
			return nil, llm.TransportError(ctx, "a", ctx.Err())
		}
	}
}

// keys makes keys whose names are their contents.
func keys(names ...string) []providers.Key {
	var list []providers.Key
	for _, name := range names {
		list = append(list, providers.Key{Name: name, Value: secret.NewValue(name)})
	}
	return list
}

// newUpstream makes the provider a with two retries, half of each wait, and no patience for limits beyond a minute.
func newUpstream(t testing.TB, adapter llm.EmbedAdapter, keys []providers.Key, change func(*upstream.Options)) *upstream.Upstream {
	t.Helper()
	o := upstream.Options{Retries: 2, Random: func() float64 { return 0.5 }, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	u, err := upstream.New("a", adapter, keys, o)
	require.NoError(t, err)
	return u
}

// ask embeds one text.
func ask(ctx context.Context, u *upstream.Upstream, model string) error {
	_, err := u.Embed(ctx, llm.EmbedCall{Model: model, Texts: []string{"hello"}})
	return err
}
