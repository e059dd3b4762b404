package openai

import (
	"context"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Interface guards.
var (
	_ llm.Generator = (*Client)(nil)
	_ llm.Streamer  = (*Client)(nil)
)

// Generate implements [llm.Generator] with the [Adapter].
func (c *Client) Generate(ctx context.Context, req *events.ChatRequest) (res *events.ChatResponse, err error) {
	err = c.cfg.Attempts.Do(ctx, func(ctx context.Context) error {
		return c.keyed(ctx, func(key secret.Value) error {
			res, err = c.adapter.Chat(ctx, &llm.Call{Model: req.Model, Request: req, Key: key})
			return err
		})
	})
	return res, err
}

// Stream implements [llm.Streamer] with the [Adapter]. A failed stream is started again only as long as nothing of it was handed out.
func (c *Client) Stream(ctx context.Context, req *events.ChatRequest, emit func(events.ChatChunk) error) error {
	started := false
	var final error
	err := c.cfg.Attempts.Do(ctx, func(ctx context.Context) error {
		err := c.keyed(ctx, func(key secret.Value) error {
			return c.stream(ctx, &llm.Call{Model: req.Model, Request: req, Key: key}, func(chunk *events.ChatChunk) error {
				started = true
				own := *chunk
				own.Choices = append([]events.ChatChunkChoice{}, chunk.Choices...)
				return emit(own)
			})
		})
		if started { // repeating it would hand out its beginning twice: this error is final
			final = err
			return nil
		}
		return err
	})
	if final != nil {
		return final
	}
	return err
}

// stream makes one request and watches its answer.
func (c *Client) stream(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := watchdog{cancel: cancel, provider: c.cfg.Provider}
	watch.start(c.cfg.FirstChunk, "no first chunk within %s")
	defer watch.stop()
	return c.adapter.Stream(ctx, call, func(chunk *events.ChatChunk) error {
		watch.stop()
		if err := emit(chunk); err != nil {
			return err
		}
		watch.start(c.cfg.Idle, "no further chunk within %s")
		return nil
	})
}

// watchdog cancels a request whose answer does not come.
type watchdog struct {
	cancel   context.CancelCauseFunc
	provider string
	timer    *time.Timer
}

// start cancels the request after d, with an error that says why, unless it is stopped before; 0 never does.
func (w *watchdog) start(d time.Duration, why string) {
	if d <= 0 {
		return
	}
	w.timer = time.AfterFunc(d, func() {
		late := events.Errorf(events.CodeDeadlineExceeded, why, d)
		late.Provider = w.provider
		w.cancel(late)
	})
}

// stop ends the watch.
func (w *watchdog) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
