package generator_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// fullSetting is the environment variable that makes these tests as long as they are meant to be: `make test-faults`.
const fullSetting = "MLSDM_TEST_FAULTS"

// patience is how long is waited for something to go on; nothing takes it unless it fails.
const patience = process.Patience

// programs are the commands under test.
//
//nolint:gochecknoglobals // built once for all tests, and removed after the last of them
var programs = process.NewPrograms("./services/generator/cmd/generator")

func TestMain(m *testing.M) {
	defer programs.Remove()
	m.Run()
}

// full reports whether the tests are run at full length.
func full() bool { return os.Getenv(fullSetting) == "full" }

// house is a bus with a provider, and the generators that are started on it.
type house struct {
	*bustest.Server

	nc       *nats.Conn
	provider *provider
	env      map[string]string
}

// newHouse starts a bus and a provider.
func newHouse(t *testing.T, environment map[string]string) *house {
	t.Helper()
	h := &house{Server: bustest.Start(t), provider: newProvider(t)}
	h.nc = h.Conn(t)
	h.env = map[string]string{"NATS_URL": h.URL(), "MLSDM_ADMIN_ADDR": "off", "GENERATOR_DEFAULT_MODEL": "house/m", "HOUSE_KEY": providerKey}
	maps.Copy(h.env, environment)
	h.configure(t, "")
	return h
}

// configure writes the configuration file of the generators that are started from now on; rest is what it says besides the
// provider.
func (h *house) configure(t *testing.T, rest string) {
	t.Helper()
	h.env["GENERATOR_CONFIG"] = filepath.Join(t.TempDir(), "generator.yaml")
	text := "providers:\n  house: {protocol: openai, base_url: \"" + h.provider.URL + "\", keys: [env:HOUSE_KEY], models: [m]}\n" + rest
	require.NoError(t, os.WriteFile(h.env["GENERATOR_CONFIG"], []byte(text), 0o600))
}

// start starts a generator and waits until it works.
func (h *house) start(t *testing.T) *process.Process {
	t.Helper()
	p := process.Start(t, programs.Path(t, "generator"), "", h.env)
	p.Errs.Await(t, `"?msg"?[:=]"?running`)
	return p
}

// replicas waits until so many generators answer.
func (h *house) replicas(t *testing.T, n int) {
	t.Helper()
	eventually(t, "so many replicas", func() bool {
		inbox := h.nc.NewInbox()
		sub, err := h.nc.SubscribeSync(inbox)
		require.NoError(t, err)
		defer func() { require.NoError(t, sub.Unsubscribe()) }()
		require.NoError(t, h.nc.PublishRequest("$SRV.PING."+events.MicroName(events.ServiceGenerator), inbox, nil))
		for range n {
			if m, err := sub.NextMsg(time.Second); err != nil || len(m.Data) == 0 {
				return false
			}
		}
		return true
	})
}

// eventually waits until something is true, looking often.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick, timeout := time.NewTicker(20*time.Millisecond), time.After(2*patience)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-timeout:
			require.Fail(t, "it does not happen", what)
		}
	}
}
