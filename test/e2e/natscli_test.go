package e2e_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
	"github.com/neuron7x/mlsdm-integrations/test/natscli"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// TestPlainNATS is somebody who has the nats tool and nothing of ours.
func TestPlainNATS(t *testing.T) {
	t.Parallel()
	to := newReceiver(t, nil)
	stack := startUp(t, to.env("custom.>"))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watching := natscli.Command(ctx, t, stack.url, "sub", "mlsdm.events.>")
	seen := new(process.Output)
	watching.Stdout, watching.Stderr = seen, seen
	require.NoError(t, watching.Start())
	seen.Await(t, `Subscribing on mlsdm\.events\.>`)

	out := natscli.Run(t, stack.url, "req", "mlsdm.embed", `{"model":"local/hash-384","input":"hello"}`)
	require.Contains(t, out, `"model":"local/hash-384"`)
	require.Contains(t, out, `"object":"embedding"`)
	out = natscli.Run(t, stack.url, "req", "mlsdm.generate", `{"model":"local/echo","prompt":"hello"}`)
	require.Contains(t, out, `"content":"echo: hello"`)
	out = natscli.Run(t, stack.url, "req", "mlsdm.embed", `{"model":"local/nothing","input":"hello"}`)
	require.Contains(t, out, "Nats-Service-Error-Code: not_found")

	natscli.Run(t, stack.url, "pub", "mlsdm.events.custom.deploy", `{"version":"1.2.3"}`)
	hooks := to.await(t, "the event as a webhook", func(hooks []hook) bool { return len(hooks) > 0 })
	require.Equal(t, "custom.deploy", hooks[0].Type)
	require.JSONEq(t, `{"version":"1.2.3"}`, string(hooks[0].Data))
	seen.Await(t, `Received on "mlsdm\.events\.custom\.deploy"[^{]*\{"version":"1\.2\.3"\}`)
	seen.Await(t, `Received on "mlsdm\.events\.request\.processed"`)
	cancel()
	require.Error(t, watching.Wait(), "it was killed")

	out = natscli.Run(t, stack.url, "micro", "ls")
	for _, unit := range services.Units() {
		require.Contains(t, out, events.MicroName(unit.Name))
	}
	out = natscli.Run(t, stack.url, "micro", "info", events.MicroName(events.ServiceEmbedder))
	require.Contains(t, out, "mlsdm.as.*.embed")
	out = natscli.Run(t, stack.url, "stream", "ls", "--names")
	for _, s := range events.Streams() {
		require.Contains(t, out, events.Subjects{}.StreamName(s.Name))
	}
	stack.stop(t)
}
