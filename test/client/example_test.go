package client_test

import (
	"context"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// A Mux works without a bus, so handlers can be tried alone.
func ExampleMux() {
	var mux client.Mux
	client.On(&mux, func(_ context.Context, ev events.Event, p events.SecretRotated) error {
		fmt.Println(ev.Type, p.Name, p.Version)
		return nil
	})
	mux.OnEvent("custom.>", func(_ context.Context, ev events.Event) error {
		fmt.Println(ev.Type, string(ev.Data))
		return nil
	})
	fmt.Println(mux.Patterns())

	ev, err := events.New("/vault", events.SecretRotated{Name: "openai_api_key", Store: "vault", Version: "4"})
	if err != nil {
		panic(err)
	}
	fmt.Println(mux.Handle(context.Background(), ev))
	fmt.Println(mux.Handle(context.Background(), events.Event{Type: "custom.deploy", Data: []byte(`{"version":"1.2.3"}`)}))
	// Output:
	// [custom.> secret.rotated]
	// secret.rotated openai_api_key 4
	// <nil>
	// custom.deploy {"version":"1.2.3"}
	// <nil>
}
