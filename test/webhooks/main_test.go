package webhooks_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// fullSetting is the environment variable that makes these tests as long as they are meant to be, minutes: `make test-faults`.
const fullSetting = "MLSDM_TEST_FAULTS"

// programs are the commands under test.
//
//nolint:gochecknoglobals // built once for all tests, and removed after the last of them
var programs = process.NewPrograms(process.NATSServer, "./cmd/mlsdmctl", "./services/dispatcher/cmd/dispatcher")

func TestMain(m *testing.M) {
	defer programs.Remove()
	m.Run()
}

// full reports whether the tests are run at full length.
func full() bool { return os.Getenv(fullSetting) == "full" }

// seeded returns a source of random numbers. Its seed is in the log.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
