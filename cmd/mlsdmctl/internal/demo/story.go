package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/stack"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// storyTimeout bounds the story, and beat is the pause between its scenes, so that a person can follow.
const (
	storyTimeout = 2 * time.Minute
	beat         = 700 * time.Millisecond
)

// Play tells the story on a running stack. It returns nil when it is told, or when ctx ends.
func (d *Demo) Play(ctx context.Context, s *stack.Stack) error {
	told := ctx
	ctx, cancel := context.WithTimeout(ctx, storyTimeout)
	defer cancel()
	c, err := client.Connect(ctx, s.URL(), client.Caller("demo"), client.Source("/mlsdm/demo"))
	if err != nil {
		return err
	}
	defer c.Close()
	sub, err := c.Subscribe(ctx, nil, func(_ context.Context, ev events.Event) error {
		d.out.line("event", fmt.Sprintf("%-26s %s", ev.Type, ev.Subject))
		return nil
	})
	if err != nil {
		return err
	}
	defer sub.Stop()
	err = d.tell(ctx, s, c)
	if told.Err() != nil { // Ctrl-C in the middle of the story
		return nil
	}
	return err
}

// tell is the story, scene by scene.
func (d *Demo) tell(ctx context.Context, s *stack.Stack, c *client.Client) error {
	d.out.line("demo", "a question and a few vectors, from the models that need no key")
	answer, err := c.Generate(ctx, events.ChatRequest{Model: "local/echo", Prompt: "Is anybody there?"})
	if err != nil {
		return err
	}
	if len(answer.Choices) > 0 {
		d.out.line("answer", answer.Choices[0].Message.Content.String())
	}
	vectors, err := c.Embed(ctx, events.EmbeddingsRequest{Model: "local/use-lite-512", Input: events.TextInput{"memory", "remembering", "weather"}})
	if err != nil {
		return err
	}
	d.out.line("vectors", fmt.Sprintf("%d, %d values each", len(vectors.Data), len(vectors.Data[0].Embedding.Values)))
	if err := d.awaitDelivered(ctx, events.TypeRequestProcessed); err != nil {
		return err
	}
	pause(ctx)

	d.out.line("demo", "the moral filter refuses something; the engine says so")
	if _, err := c.Publish(ctx, events.MoralFilterReject{Stage: events.StagePrompt, Score: 0.21, Threshold: 0.5, Reason: "asks for harm"}); err != nil {
		return err
	}
	if err := d.awaitDelivered(ctx, events.TypeMoralFilterReject); err != nil {
		return err
	}
	pause(ctx)

	d.out.line("demo", "CI of "+Repository+" fails three times; the receiver is having a bad day too and answers 503 twice")
	if err := d.breakCI(ctx, s, c); err != nil {
		return err
	}
	pause(ctx)

	d.out.line("demo", "somebody fixes it")
	d.github.AddRun("success")
	if err := look(ctx, c); err != nil {
		return err
	}
	if err := d.awaitDelivered(ctx, events.TypeCIRecovered); err != nil {
		return err
	}
	pause(ctx)
	d.out.line("demo", "that was the story; everything keeps running, and it is yours to try now")
	return nil
}

// breakCI lets three runs fail and kills the dispatcher while a delivery waits for its next attempt.
func (d *Demo) breakCI(ctx context.Context, s *stack.Stack, c *client.Client) error {
	for n := 1; n <= 3; n++ {
		if n == 3 {
			d.receiver.Refuse(2)
		}
		run := d.github.AddRun("failure")
		d.out.line("github", fmt.Sprintf("run %d: failure", run.Number))
		if err := look(ctx, c); err != nil {
			return err
		}
		pause(ctx)
	}
	d.out.line("demo", "the dispatcher is killed in the middle of it, and started again")
	if err := s.Restart(ctx, events.ServiceDispatcher); err != nil {
		return err
	}
	for _, eventType := range []string{events.TypeCIDegraded, events.TypeSystemRecoveryTriggered} {
		if err := d.awaitDelivered(ctx, eventType); err != nil {
			return err
		}
	}
	return nil
}

// look has ciwatch ask GitHub now, and not at its next poll.
func look(ctx context.Context, c *client.Client) error {
	return c.Call(ctx, events.OpCICheck, events.CIStatusRequest{}, nil)
}

// pause waits a beat, or until ctx ends.
func pause(ctx context.Context) {
	select {
	case <-time.After(beat):
	case <-ctx.Done():
	}
}
