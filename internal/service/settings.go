package service

import (
	"fmt"
	"net"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Common are the settings that every service has.
type Common struct {
	Bus       bus.Config       `embed:"" group:"NATS"`
	Secrets   remote.Config    `embed:"" group:"Secrets"`
	Telemetry telemetry.Config `embed:"" group:"Logs and traces"`
	Memory    memory.Config    `embed:"" group:"Memory"`

	AdminAddr    string        `name:"admin-addr" env:"MLSDM_ADMIN_ADDR" default:"127.0.0.1:9090" placeholder:"HOST:PORT" group:"Process" help:"Where /livez, /readyz and /metrics are served; off for nowhere."`
	DrainTimeout time.Duration `name:"drain-timeout" env:"MLSDM_DRAIN_TIMEOUT" default:"25s" placeholder:"DURATION" group:"Process" help:"How long work that has begun may go on after a signal to stop, up to 1h."`
	SpoolDir     string        `name:"spool-dir" env:"MLSDM_SPOOL_DIR" placeholder:"DIR" group:"Process" help:"Folder that keeps a system.emergency_shutdown that the stream has not taken; the next start publishes it. Empty: one of the user's own among the temporary files, which a container loses with its end."`
}

// maxDrainTimeout bounds the setting: whoever waits longer has mistaken the unit.
const maxDrainTimeout = time.Hour

// Validate checks the settings that are declared here.
func (c Common) Validate() error {
	if c.DrainTimeout < 0 || c.DrainTimeout > maxDrainTimeout {
		return fmt.Errorf("drain-timeout is %s; it must be 0s to %s", c.DrainTimeout, maxDrainTimeout)
	}
	if !c.hasAdmin() {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.AdminAddr); err != nil {
		return fmt.Errorf("admin-addr: %q is not host:port, such as 127.0.0.1:9090 or :9090, nor off", c.AdminAddr)
	}
	return nil
}

// hasAdmin reports whether there is an admin listener.
func (c Common) hasAdmin() bool { return c.AdminAddr != "" && c.AdminAddr != "off" }

// CommonFields describes the settings that every service has.
func CommonFields() ([]config.Field, error) { return config.Fields(&Common{}) }

// settings are all settings of one service process.
type settings struct {
	Service any    `embed:""` // a pointer to the unit's own
	Common  Common `embed:""`
	Health  bool   `name:"health" action:"" help:"Ask the running service whether it is ready, and exit with 0 if so, else with 1."`
}

// load reads the settings of the unit.
func (u Unit) load(o config.Options) (s settings, done bool, err error) {
	s.Service = u.newConfig()
	o.Name, o.Summary, o.Examples = u.Name, u.Summary, u.Examples
	o.LocalRefs = u.Name == events.ServiceSecretd // who is asked for secrets has nobody to ask
	done, err = config.Load(&s, o)
	return s, done, err
}
