package services

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
)

// DefaultData is the default of --data.
const DefaultData = ".mlsdm"

// Up is what an operator sets of all services in one process (`mlsdmctl up`). The settings of the services are theirs: as environment
// variables, or in the same file.
type Up struct {
	Addr         string           `name:"addr" env:"MLSDM_ADDR" default:"127.0.0.1:4222" placeholder:"HOST:PORT" help:"Where the embedded NATS server listens, on loopback; port 0 picks a free one."`
	Insecure     bool             `name:"insecure" action:"" help:"Let --addr be any address. Whoever reaches it may then do everything, without a key: only for a network that nobody else is on."`
	Data         string           `name:"data" env:"MLSDM_DATA" default:".mlsdm" placeholder:"DIR" help:"Folder that keeps the streams. With --demo and without this, a temporary one."`
	AdminAddr    string           `name:"admin-addr" env:"MLSDM_ADMIN_ADDR" default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Where /livez, /readyz and /metrics of all services are served; port 0 picks a free one, off is nowhere."`
	DrainTimeout time.Duration    `name:"drain-timeout" env:"MLSDM_DRAIN_TIMEOUT" default:"25s" placeholder:"DURATION" help:"How long work that has begun may go on after Ctrl-C."`
	Demo         bool             `name:"demo" action:"" help:"Also run a webhook receiver that verifies what it gets, and a small scenario, so that there is something to see."`
	Telemetry    telemetry.Config `embed:"" group:"Logs and traces"`
	Memory       memory.Config    `embed:"" group:"Memory"`
}

// Validate checks what one setting cannot say alone.
func (c Up) Validate() error {
	if c.Data == "" {
		return errors.New("data is empty; it must name a folder")
	}
	if c.AdminAddr != "off" && c.AdminAddr != "" {
		if _, _, err := net.SplitHostPort(c.AdminAddr); err != nil {
			return fmt.Errorf("admin-addr: %q is not HOST:PORT, nor off", c.AdminAddr)
		}
	}
	return nil
}
