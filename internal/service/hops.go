package service

import (
	"context"

	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/natstrace"
)

// followHops makes spans of what the server says about messages of traces that are sampled, until ctx ends, if anybody looks at
// spans. All services share this work, whichever of them has anything to do with a message.
func followHops(ctx context.Context, deps Deps) {
	if _, untraced := deps.Tracer.(noop.TracerProvider); untraced {
		return
	}
	bridge := natstrace.New(deps.Tracer, natstrace.Template(deps.Bus.Template))
	context.AfterFunc(ctx, bridge.Close)
	err := deps.Bus.HearHops(ctx, func(body []byte) {
		if err := bridge.Handle(body); err != nil {
			deps.Logger.DebugContext(ctx, "what was said of a message makes no span", "err", err)
		}
	})
	if err != nil {
		deps.Logger.WarnContext(ctx, "traces will not show what the server does", "err", err)
	}
}
