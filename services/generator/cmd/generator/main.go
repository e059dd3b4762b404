// Command generator runs the generator: conversations to answers on NATS.
package main

import (
	"runtime"

	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator"
)

// heapRoom is by how much more memory is allocated between two collections of garbage, in bytes. What lives is so little that the
// collector would run dozens of times a second without it, and take a fifth of all CPU time. Unlike a higher GOGC, it stays what it is
// when much lives.
const heapRoom = 6 << 20

func main() {
	defer runtime.KeepAlive(make([]byte, heapRoom)) // counted by the collector, and written to by nobody
	service.Main(events.ServiceGenerator, generator.Summary, generator.New)
}
