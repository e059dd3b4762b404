package natstrace_test

import (
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/neuron7x/mlsdm-integrations/natstrace"
)

// The account of the server is configured with
//
//	msg_trace: { dest: "trace.hops", sampling: 100 }
func Example() {
	provider := sdktrace.NewTracerProvider( /* your exporter */ )
	bridge := natstrace.New(provider)
	defer bridge.Close()

	nc, err := nats.Connect(nats.DefaultURL)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer nc.Close()
	_, err = nc.QueueSubscribe("trace.hops", "natstrace", func(m *nats.Msg) {
		if err := bridge.Handle(m.Data); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
