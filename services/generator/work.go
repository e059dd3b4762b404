package generator

import (
	"context"
	"math"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/answers"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/price"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// worker does one chat request, whichever door it came through.
type worker struct {
	table        *route.Table
	defaultModel string
	engine       *engine.Engine
	filter       *moral.Filter
	prices       *price.Table
	answers      *answers.Cache
}

// work implements [door.Worker].
func (w *worker) work(ctx context.Context, call *door.Call) ([]byte, error) {
	req, err := events.ParseChatRequest(call.Body)
	if err != nil {
		return nil, err
	}
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if req.Model == "" {
		req.Model = w.defaultModel
	}
	asked := req.Model
	to, err := w.table.Resolve(asked)
	if err != nil {
		return nil, err
	}
	call.Report.Model, call.Report.Stream = asked, req.Stream
	if req.Stream && call.Send == nil {
		return nil, events.Errorf(events.CodeUnsupported, "stream: there is no way here to send a stream")
	}
	if req.Stream && call.Streams != nil {
		call.Streams()
	}
	span := traced{call: call}
	defer span.tell(ctx)
	about := moral.Subject{RequestID: call.ID, Caller: call.Caller, Model: asked}
	if err := w.filter.Prompt(ctx, about, &req); err != nil {
		return nil, err
	}
	moral.Strip(&req)
	cached, err := w.caching(call, to, &req)
	if err != nil {
		return nil, err
	}
	answer := cached.get(ctx)
	span.cache = cached.outcome(answer != nil)
	if answer != nil {
		call.Report.Cached, call.Report.AnsweredBy = true, answer.Model
		return w.tell(ctx, call, about, &req, answer)
	}
	result, err := w.ask(ctx, &span, about, &engine.Ask{Route: to, Request: &req, Caller: call.Caller})
	if err != nil {
		return nil, err
	}
	if result.Response != nil {
		cached.put(ctx, result.Response)
	}
	if req.Stream && !call.Durable {
		return nil, nil
	}
	return encodeAnswer(result.Response, call)
}

// ask has the engine answer, in chunks if the request wants them, and reports what it took.
func (w *worker) ask(ctx context.Context, span *traced, about moral.Subject, ask *engine.Ask) (*engine.Result, error) {
	begun, call := time.Now(), span.call
	var window *moral.Window
	if ask.Request.Stream {
		out := &sender{call: call, worker: w, wanted: wantsUsage(ask.Request)}
		window = w.filter.Window(ctx, about, out.send)
		ask.Emit = window.Emit
	}
	result, err := w.engine.Do(ctx, *ask)
	if err == nil && window != nil {
		err = window.Close()
	}
	if err == nil && window == nil {
		err = w.filter.Completion(ctx, about, result.Response)
	}
	w.note(call, result, time.Since(begun))
	span.result, span.limited = result, w.engine.Limited()
	if err != nil {
		return nil, w.brokenOff(ctx, about, err)
	}
	return result, nil
}

// tell gives an answer that is there already.
func (w *worker) tell(ctx context.Context, call *door.Call, about moral.Subject, req *events.ChatRequest, answer *events.ChatResponse) ([]byte, error) {
	if len(answer.Choices) > 0 {
		call.FinishReason = answer.Choices[0].FinishReason
		call.Report.FinishReason = call.FinishReason
	}
	call.Usage = answer.Usage
	noteTokens(call, answer.Usage)
	if !req.Stream {
		if err := w.filter.Completion(ctx, about, answer); err != nil {
			return nil, err
		}
		return encodeAnswer(answer, call)
	}
	out := &sender{call: call, worker: w, wanted: wantsUsage(req)}
	window := w.filter.Window(ctx, about, out.send)
	if err := answers.Replay(answer, window.Emit); err != nil {
		return nil, err
	}
	if err := window.Close(); err != nil || !call.Durable {
		return nil, err
	}
	return encodeAnswer(answer, call)
}

// note tells the report, and the end of a stream, what a request came to.
func (w *worker) note(call *door.Call, result *engine.Result, took time.Duration) {
	r := call.Report
	r.Attempts, r.FinishReason = len(result.Attempts), result.Finish
	call.FinishReason = result.Finish
	if result.Target.ID != "" {
		r.AnsweredBy = result.Target.ID
	}
	if r.Stream && result.FirstOutput > 0 {
		r.FirstTokenMS = float64(min(result.FirstOutput, took).Microseconds()) / 1000
	}
	for i := range result.Attempts {
		w.noteAttempt(r, &result.Attempts[i])
	}
	if result.Usage == nil {
		return
	}
	usage := w.priced(result.Target.ID, *result.Usage)
	call.Usage = &usage
	if result.Response != nil {
		result.Response.Usage = &usage
	}
}

// noteAttempt adds to the report what one attempt used, whether it answered or not: it is paid for in any case.
func (w *worker) noteAttempt(r *events.RequestProcessed, t *engine.Tried) {
	if t.Usage == nil {
		return
	}
	r.PromptTokens = plus(r.PromptTokens, t.Usage.PromptTokens)
	r.CompletionTokens = plus(r.CompletionTokens, t.Usage.CompletionTokens)
	r.TotalTokens = plus(r.TotalTokens, t.Usage.TotalTokens)
	cost, known := w.prices.Cost(t.Target.ID, *t.Usage)
	if w.prices.Version() == "" && !known {
		return
	}
	r.PriceVersion, r.Unpriced = w.prices.Version(), r.Unpriced || !known
	r.Cost += cost
}

// plus adds a count that a provider told: none below zero, and to no more than a number can be.
func plus(sum, n int) int { return sum + min(max(n, 0), math.MaxInt-sum) }

// priced returns the usage with what it cost, if there is a price.
func (w *worker) priced(model string, usage events.ChatUsage) events.ChatUsage {
	if cost, known := w.prices.Cost(model, usage); known {
		usage.Cost = &cost
	}
	return usage
}

// noteTokens tells the report about tokens.
func noteTokens(call *door.Call, usage *events.ChatUsage) {
	if usage == nil {
		return
	}
	call.Report.PromptTokens, call.Report.CompletionTokens, call.Report.TotalTokens = usage.PromptTokens, usage.CompletionTokens, usage.TotalTokens
}

// partialError is an answer that broke off, in the form in which the door tells of it.
type partialError struct {
	error

	said *events.ChatResponse
}

// Partial returns what was said.
func (e *partialError) Partial() *events.ChatResponse { return e.said }

// Unwrap returns what went wrong.
func (e *partialError) Unwrap() error { return e.error }
