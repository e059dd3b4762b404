package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Against `mlsdmctl up`, or any NATS server that the services are connected to.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.Connect(ctx, "nats://127.0.0.1:4222")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	resp, err := c.Embed(ctx, events.EmbeddingsRequest{Model: "local/hash-384", Input: events.TextInput{"hello"}})
	switch events.CodeOf(err) {
	case "":
		fmt.Println(len(resp.Data[0].Embedding.Values))
	case events.CodeUnavailable:
		fmt.Println("try again later:", err)
	default:
		fmt.Println(err)
	}
}

func ExampleConnect_closedBus() {
	c, err := client.Connect(context.Background(), "tls://bus-1:4222,tls://bus-2:4222",
		client.Caller("checkout"), client.NKey("/run/secrets/checkout.nk"), client.RootCAs("/etc/ssl/bus.pem"))
	if err != nil {
		panic(err)
	}
	defer c.Close()
	key, err := c.Secret(context.Background(), "openai_api_key")
	if err != nil {
		panic(err)
	}
	fmt.Println(key)                 // [redacted]
	_ = os.Setenv("K", key.Reveal()) // where it is used
}

func ExampleClient_GenerateStream() {
	ctx := context.Background()
	c, err := client.Connect(ctx, "nats://127.0.0.1:4222")
	if err != nil {
		panic(err)
	}
	defer c.Close()
	for chunk, err := range c.GenerateStream(ctx, events.ChatRequest{Model: "local/echo", Prompt: "hello"}) {
		if err != nil {
			fmt.Println("broke off:", err)
			return
		}
		for _, choice := range chunk.Choices {
			fmt.Print(choice.Delta.Content)
		}
	}
}

// Work that must not be lost is submitted, and its result fetched whenever it suits, by whomever.
func ExampleClient_SubmitGenerate() {
	ctx := context.Background()
	c, err := client.Connect(ctx, "nats://127.0.0.1:4222")
	if err != nil {
		panic(err)
	}
	defer c.Close()
	id, err := c.SubmitGenerate(ctx, "", events.ChatRequest{Prompt: "Write a report."}, client.KeepResult(12*time.Hour))
	if err != nil {
		panic(err)
	}
	var resp events.ChatResponse
	if err := c.Result(ctx, id, &resp); err != nil {
		panic(err)
	}
	fmt.Println(resp.Choices[0].Message.Content)
}

// Typed handlers, each for the events of one type, called in the order of the stream.
func ExampleOn() {
	ctx := context.Background()
	c, err := client.Connect(ctx, "nats://127.0.0.1:4222")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	var mux client.Mux
	client.On(&mux, func(_ context.Context, ev events.Event, p events.CIDegraded) error {
		fmt.Println(ev.Subject, p.ConsecutiveFailures)
		return nil
	})
	client.On(&mux, func(_ context.Context, ev events.Event, _ events.CIRecovered) error {
		fmt.Println(ev.Subject, "is green again")
		return nil
	})
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	sub, err := c.Subscribe(ctx, mux.Patterns(), mux.Handle, client.Since(time.Hour),
		client.OnBadEvent(func(err error) { logger.Warn("skipped", "err", err) }))
	if err != nil {
		panic(err)
	}
	defer sub.Stop()
	if err := sub.Err(); err != nil {
		panic(err)
	}
}

// Handlers that survive restarts: each event is handled at least once, by one of the processes that share the name.
func ExampleClient_Handle() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := client.Connect(ctx, "nats://127.0.0.1:4222")
	if err != nil {
		panic(err)
	}
	defer c.Close()

	var mux client.Mux
	client.On(&mux, func(ctx context.Context, ev events.Event, p events.CIDegraded) error {
		if p.Repository == "" {
			return client.Permanent(errors.New("no repository")) // trying again would not help
		}
		return page(ctx, ev.Subject) // an error is tried again
	})
	h, err := c.Handle(ctx, "pager", &mux, client.Concurrency(8), client.RetryStandard(),
		client.OnGiveUp(func(_ context.Context, ev events.Event, cause error) error {
			fmt.Println("nobody was paged:", ev.ID, cause)
			return nil
		}))
	if err != nil {
		panic(err)
	}
	if err := h.Err(); err != nil { // waits for the end
		panic(err)
	}
}

func page(context.Context, string) error { return nil }
