package batch_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
)

// fake makes the calls of a test, and notes them.
type fake struct {
	limits llm.EmbedLimits
	// takes is how long a call takes.
	takes time.Duration
	// answer is what is done at a call; nil: right.
	answer func(ctx context.Context, texts []string, truncate bool) (*llm.Embedded, error)

	mu     sync.Mutex
	calls  [][]string
	flying int
	most   int
}

// Limits implements [batch.Calls].
func (f *fake) Limits(context.Context, batch.Group) llm.EmbedLimits { return f.limits }

// Call implements [batch.Calls].
func (f *fake) Call(ctx context.Context, _ batch.Group, texts []string, truncate bool) (*llm.Embedded, string, error) {
	f.mu.Lock()
	f.calls = append(f.calls, slices.Clone(texts))
	f.flying++
	f.most = max(f.most, f.flying)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.flying--
	}()
	if f.takes > 0 {
		select {
		case <-time.After(f.takes):
		case <-ctx.Done():
			return nil, "", &llm.Fault{Class: llm.ClassCanceled, Err: events.AsError(ctx.Err())}
		}
	}
	if f.answer == nil {
		return right(texts), "a/m", nil
	}
	e, err := f.answer(ctx, texts, truncate)
	return e, "a/m", err
}

// made is the number of calls.
func (f *fake) made() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

// right answers each text with its number, and has used a token for each byte.
func right(texts []string) *llm.Embedded {
	e := &llm.Embedded{}
	for _, t := range texts {
		e.Vectors = append(e.Vectors, []float32{number(t)})
		e.PromptTokens += len(t)
	}
	return e
}

// number is that of a text.
func number(text string) float32 {
	n, err := strconv.Atoi(strings.TrimLeft(text, "tx"))
	if err != nil {
		return -1
	}
	return float32(n)
}

// texts are n of them from a number on.
func texts(from, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("t%d", from+i)
	}
	return list
}

// poisoned refuses calls that hold one of the texts, with an error that does not say which.
func poisoned(class llm.Class, code events.Code, bad ...string) func(context.Context, []string, bool) (*llm.Embedded, error) {
	return func(_ context.Context, texts []string, _ bool) (*llm.Embedded, error) {
		for _, t := range texts {
			if slices.Contains(bad, t) {
				return nil, fault(class, code)
			}
		}
		return right(texts), nil
	}
}

func fault(class llm.Class, code events.Code) *llm.Fault {
	return &llm.Fault{Class: class, Err: events.Errorf(code, "the input is refused")}
}

// embed asks, and checks that there is a vector for each text, in order. It may be called from any goroutine.
func embed(t *testing.T, b *batch.Batcher, list ...string) []batch.Item {
	t.Helper()
	items, err := b.Embed(t.Context(), "", batch.Group{Model: "m"}, list)
	if err != nil || len(items) != len(list) {
		t.Errorf("%d items, %v", len(items), err)
		return nil
	}
	for i, item := range items {
		if item.Err != nil || !slices.Equal(item.Vector, []float32{number(list[i])}) || item.Answered != "a/m" || item.Truncated != nil {
			t.Errorf("%s: %+v", list[i], item)
		}
	}
	return items
}

// tokens sums those of items.
func tokens(items []batch.Item) int {
	n := 0
	for _, item := range items {
		n += item.Tokens
	}
	return n
}
