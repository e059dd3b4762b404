package llmtest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// LocalEmbedDialect is what [RunLocalEmbed] has to know of a model of embeddings that runs in this process.
type LocalEmbedDialect struct {
	// Provider is the name that every error has to carry, Model the model's.
	Provider, Model string
	// Dimensions is the length of its vectors; it has no other.
	Dimensions int
	// ItemTokens is how many tokens of a text it reads; 0 is all of them. A common English word is a token.
	ItemTokens int
}

// RunLocalEmbed runs the contract of [llm.EmbedAdapter], as far as it concerns a model that no server answers for.
func RunLocalEmbed(t *testing.T, d LocalEmbedDialect, a llm.EmbedAdapter) {
	t.Helper()
	r := &embedRig{d: &EmbedDialect{Provider: d.Provider}, adapter: a}
	for name, row := range map[string]func(*LocalEmbedDialect, *testing.T, *embedRig){
		"answers":        (*LocalEmbedDialect).answers,
		"dimensions":     (*LocalEmbedDialect).dimensions,
		"long texts":     (*LocalEmbedDialect).longTexts,
		"no text":        (*LocalEmbedDialect).noText,
		"no tokens":      (*LocalEmbedDialect).noTokens,
		"no outputs":     (*LocalEmbedDialect).noOutputs,
		"leaves":         (*LocalEmbedDialect).leaves,
		"large calls":    (*LocalEmbedDialect).largeCalls,
		"concurrent use": (*LocalEmbedDialect).concurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row(&d, t, r)
		})
	}
}

// ask is a call.
func (d *LocalEmbedDialect) ask(texts ...string) *llm.EmbedCall {
	return &llm.EmbedCall{Model: d.Model, Texts: texts}
}

// prose are texts of all kinds.
func prose() []string {
	return []string{"the quick brown fox", "a", "naïve café", "日本語のテキスト", "!?", "\xff\xfe", strings.Repeat("long ", 60), "the quick brown fox"}
}

// answers: the vector of a text is the same whatever texts stand beside it, and tokens are counted for each.
func (d *LocalEmbedDialect) answers(t *testing.T, r *embedRig) {
	call := d.ask(prose()...)
	call.User, call.InputType, call.Key = "u", events.InputQuery, secret.NewValue(Key) // of which it has no use
	all, err := r.embed(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, prose(), call.Texts, "they are the caller's")
	require.Empty(t, all.Truncated)
	require.Len(t, all.Tokens, len(call.Texts))
	sum := 0
	for i, text := range call.Texts {
		require.Len(t, all.Vectors[i], d.Dimensions)
		length := 0.0
		for _, f := range all.Vectors[i] {
			length += float64(f) * float64(f)
		}
		require.InDelta(t, 1, length, 1e-5, "the vectors are normalised")
		one, err := r.embed(t.Context(), d.ask(text))
		require.NoError(t, err)
		require.Equal(t, one.Vectors[0], all.Vectors[i], "text %d, to the last bit", i)
		require.Equal(t, one.Tokens[0], all.Tokens[i])
		require.Positive(t, one.Tokens[0])
		require.Equal(t, one.Tokens[0], one.PromptTokens)
		sum += one.Tokens[0]
	}
	require.Equal(t, sum, all.PromptTokens)
	require.Equal(t, all.Vectors[0], all.Vectors[7], "the same text has the same vector")
	all.Vectors[0][0]++
	require.NotEqual(t, all.Vectors[0], all.Vectors[7], "and each its own memory")

	limits, err := r.adapter.EmbedLimits(t.Context(), d.Model, secret.Value{})
	require.NoError(t, err)
	require.Equal(t, llm.EmbedLimits{Items: events.MaxInputs, ItemTokens: d.ItemTokens}, limits)
}

// dimensions: there is one length, and asking for another names the field.
func (d *LocalEmbedDialect) dimensions(t *testing.T, r *embedRig) {
	for _, n := range []int{-1, 1, d.Dimensions / 2, d.Dimensions - 1, d.Dimensions + 1, 1 << 30} {
		call := d.ask("hello")
		call.Dimensions = n
		_, err := r.embed(t.Context(), call)
		fault := r.d.fault(t, err)
		require.Equal(t, llm.ClassUnsupported, fault.Class)
		require.Equal(t, events.CodeUnsupported, fault.Err.Code)
		require.ErrorContains(t, fault, "dimensions")
	}
	call := d.ask("hello")
	call.Dimensions = d.Dimensions
	_, err := r.embed(t.Context(), call)
	require.NoError(t, err)
}

// longTexts: a text that is too long is refused, or cut where the model ends, and that is said.
func (d *LocalEmbedDialect) longTexts(t *testing.T, r *embedRig) {
	const words = 1000
	call := d.ask("short", strings.Repeat("the ", words), "the end")
	if d.ItemTokens == 0 {
		got, err := r.embed(t.Context(), call)
		require.NoError(t, err)
		require.Equal(t, words, got.Tokens[1])
		return
	}
	_, err := r.embed(t.Context(), call)
	fault := r.d.fault(t, err)
	require.Equal(t, llm.ClassUnsupported, fault.Class)
	require.Equal(t, events.CodeInvalidArgument, fault.Err.Code)
	require.ErrorContains(t, fault, "the text has 1000 tokens")

	call.Truncate = true
	got, err := r.embed(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, map[int]events.Truncation{1: {Tokens: words, Used: d.ItemTokens}}, got.Truncated)
	require.Equal(t, words, got.Tokens[1])
	require.Equal(t, got.Tokens[0]+d.ItemTokens+got.Tokens[2], got.PromptTokens, "what was read counts")

	fits := strings.Repeat("the ", d.ItemTokens)
	whole, err := r.embed(t.Context(), d.ask(fits))
	require.NoError(t, err)
	require.Equal(t, whole.Vectors[0], got.Vectors[1], "it is the vector of what was read")
	_, err = r.embed(t.Context(), d.ask(fits+"the"))
	require.Equal(t, llm.ClassUnsupported, r.d.fault(t, err).Class, "one more is too many")
}

// noTokens: it reads texts, and takes no ids of tokens.
func (d *LocalEmbedDialect) noTokens(t *testing.T, r *embedRig) {
	_, err := r.embed(t.Context(), &llm.EmbedCall{Model: d.Model, Tokens: [][]int32{{1, 2}}})
	refusesTokens(t, r.d.fault(t, err))
}

// noOutputs: its vectors are floating point.
func (d *LocalEmbedDialect) noOutputs(t *testing.T, r *embedRig) {
	for _, output := range llm.OutputTypes() {
		_, err := r.embed(t.Context(), &llm.EmbedCall{Model: d.Model, Texts: []string{"a"}, Output: output})
		refusesOutput(t, r.d.fault(t, err), output)
	}
}

// noText: a text with nothing in it has no vector, and is named.
func (d *LocalEmbedDialect) noText(t *testing.T, r *embedRig) {
	for _, text := range []string{"", " ", "\t\r\n\u00a0\u3000"} {
		_, err := r.embed(t.Context(), d.ask("fine", text))
		fault := r.d.fault(t, err)
		require.Equal(t, llm.ClassCaller, fault.Class)
		require.Equal(t, events.CodeInvalidArgument, fault.Err.Code)
		require.ErrorContains(t, fault, "there is no text in it")
	}
}

// leaves: who has left is answered.
func (d *LocalEmbedDialect) leaves(t *testing.T, r *embedRig) {
	checkEnded(t, func(ctx context.Context) error {
		_, err := r.embed(ctx, d.ask("hello"))
		return r.d.fault(t, err)
	})
	late := &llm.Fault{Class: llm.ClassTimeout, Err: events.Errorf(events.CodeDeadlineExceeded, "too late")}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(late)
	_, err := r.embed(ctx, d.ask("hello"))
	require.Equal(t, error(late), err, "who ended the context says why")
}

// counted is a context that ends when it has been asked a number of times whether it has.
type counted struct {
	context.Context //nolint:containedctx // it is one
	mu              sync.Mutex
	left            int
	asked           int
}

// Err implements [context.Context].
func (c *counted) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked++; c.asked > c.left {
		return context.Canceled
	}
	return nil
}

// largeCalls: a call of as many texts as there may be ends soon after its context, and lets others have their turn.
func (d *LocalEmbedDialect) largeCalls(t *testing.T, r *embedRig) {
	large := d.ask(slices.Repeat([]string{"some words of a text that is neither long nor short"}, events.MaxInputs)...)
	ctx := &counted{Context: context.WithoutCancel(t.Context()), left: 100}
	_, err := r.adapter.Embed(ctx, large)
	fault := r.d.fault(t, err)
	require.Equal(t, llm.ClassCanceled, fault.Class)
	require.Less(t, ctx.asked, 110, "it does not go on")

	leave, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := r.embed(leave, large)
		done <- err
	}()
	_, err = r.embed(t.Context(), d.ask("one beside it"))
	require.NoError(t, err)
	cancel()
	if err := (&Dialect{Provider: d.Provider}).finished(t, done); err != nil { // else it was faster
		require.Equal(t, llm.ClassCanceled, r.d.fault(t, err).Class)
	}
}

// concurrent: many calls at the same time do not see each other.
func (d *LocalEmbedDialect) concurrent(t *testing.T, r *embedRig) {
	want, err := r.embed(t.Context(), d.ask(prose()...))
	require.NoError(t, err)
	var group sync.WaitGroup
	errs, got := make([]error, 16), make([]*llm.Embedded, 16)
	for i := range errs {
		group.Go(func() { got[i], errs[i] = r.embed(t.Context(), d.ask(prose()...)) })
	}
	group.Wait()
	for i, err := range errs {
		require.NoError(t, err)
		require.Equal(t, want, got[i])
	}
}
