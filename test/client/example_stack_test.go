package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// The examples below run against a real stack; in a program the URL is that of `mlsdmctl up`, or of your own NATS servers.

func ExampleClient_Embed() {
	url, stop := startStack(events.ServiceEmbedder)
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	c, err := client.Connect(ctx, url)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	resp, err := c.Embed(ctx, events.EmbeddingsRequest{Model: "local/hash-384", Input: events.TextInput{"hello", "world"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(resp.Model, len(resp.Data), "vectors of", len(resp.Data[0].Embedding.Values))

	_, err = c.Embed(ctx, events.EmbeddingsRequest{Model: "nobody/nothing", Input: events.TextInput{"hello"}})
	fmt.Println(events.CodeOf(err)) // act on the code, never on the text
	// Output:
	// local/hash-384 2 vectors of 384
	// not_found
}

func ExampleClient_GenerateStream() {
	url, stop := startStack(events.ServiceGenerator)
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	c, err := client.Connect(ctx, url, client.Caller("docs"))
	if err != nil {
		panic(err)
	}
	defer c.Close()
	for chunk, err := range c.GenerateStream(ctx, events.ChatRequest{Model: "local/echo", Prompt: "hello there"}) {
		if err != nil {
			panic(err)
		}
		for _, choice := range chunk.Choices {
			fmt.Printf("%q ", choice.Delta.Content)
		}
	}
	// Output: "echo: " "hello " "there" ""
}

// Work that must not be lost is submitted under an id; its result can be fetched at any time while it is kept.
func ExampleClient_SubmitEmbed() {
	url, stop := startStack(events.ServiceEmbedder)
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	c, err := client.Connect(ctx, url)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	id, err := c.SubmitEmbed(ctx, "order-4711", events.EmbeddingsRequest{Model: "local/hash-384", Input: events.TextInput{"hello"}})
	if err != nil {
		panic(err)
	}
	var resp events.EmbeddingsResponse
	if err := c.Result(ctx, id, &resp); err != nil {
		panic(err)
	}
	fmt.Println(id, resp.Usage.TotalTokens, "token")
	// Output: order-4711 1 token
}

func ExampleClient_Subscribe() {
	url, stop := startStack()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	c, err := client.Connect(ctx, url)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	got := make(chan string, 1)
	sub, err := c.Subscribe(ctx, []string{"custom.*"}, func(_ context.Context, ev events.Event) error {
		var data struct {
			Version string `json:"version"`
		}
		if err := json.Unmarshal(ev.Data, &data); err != nil {
			return err // ends the subscription; use client.OnBadEvent to go on
		}
		got <- ev.Type + " " + data.Version
		return nil
	})
	if err != nil {
		panic(err)
	}
	defer sub.Stop()
	if _, err := c.PublishData(ctx, "custom.deploy", []byte(`{"version":"1.2.3"}`)); err != nil {
		panic(err)
	}
	fmt.Println(<-got)
	// Output: custom.deploy 1.2.3
}

// startStack starts a NATS server with everything on it that the named services need, and those services. Examples have no
// testing.TB, so what goes wrong is a panic.
func startStack(names ...string) (url string, stop func()) {
	dir, err := os.MkdirTemp("", "mlsdm-example-")
	must(err)
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, JetStreamMaxStore: 1 << 40, NoLog: true, NoSigs: true})
	must(err)
	srv.Start()
	if !srv.ReadyForConnections(patience) {
		panic("the NATS server does not start")
	}
	ctx, cancel := context.WithCancel(context.Background())
	b, err := bus.Connect(ctx, bus.Config{}, "example", bus.Options{InProcess: srv})
	must(err)
	steps, err := provision.Plan(ctx, b, provision.Default())
	must(err)
	must(provision.Apply(ctx, steps, nil))

	done := make(chan error, len(names))
	for _, u := range services.Units() {
		if !slices.Contains(names, u.Name) {
			continue
		}
		instance, err := u.Load(service.Source{})
		must(err)
		own, err := bus.Connect(ctx, bus.Config{}, u.Name, bus.Options{InProcess: srv})
		must(err)
		go func() {
			err := instance.Run(ctx, service.Deps{Bus: own})
			_ = own.Close(context.Background()) // the server goes away with it
			done <- err
		}()
		for { // until it answers
			ask, stopAsking := context.WithTimeout(ctx, 100*time.Millisecond)
			_, err := b.Request(ask, bus.Msg{Subject: "$SRV.PING." + events.MicroName(u.Name)})
			stopAsking()
			if err == nil {
				break
			}
		}
	}
	return srv.ClientURL(), func() {
		cancel()
		for range names {
			must(<-done)
		}
		must(b.Close(context.Background()))
		srv.Shutdown()
		srv.WaitForShutdown()
		must(os.RemoveAll(dir))
	}
}

// must panics on an error.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Durable handlers go on where they were: what happened while the process was away is handled when it is back.
func ExampleClient_Handle() {
	url, stop := startStack()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	c, err := client.Connect(ctx, url)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	handled := make(chan string, 1)
	var mux client.Mux
	mux.OnEvent("custom.*", func(_ context.Context, ev events.Event) error {
		handled <- ev.Type + " " + string(ev.Data)
		return nil
	})
	work := func() { // the life of one process
		h, err := c.Handle(ctx, "docs", &mux, client.Since(time.Hour)) // which counts the first time only
		if err != nil {
			panic(err)
		}
		fmt.Println(<-handled)
		h.Stop()
	}
	for _, version := range []string{`"1"`, `"2"`} {
		if _, err := c.PublishData(ctx, "custom.deploy", []byte(version)); err != nil {
			panic(err)
		}
		work()
	}
	// Output:
	// custom.deploy "1"
	// custom.deploy "2"
}
