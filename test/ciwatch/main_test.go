package ciwatch_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// fullSetting is the environment variable that makes these tests as long as they are meant to be: `make test-faults`.
const fullSetting = "MLSDM_TEST_FAULTS"

// patience is how long is waited for something to go on; nothing takes it unless it fails.
const patience = process.Patience

// programs are the commands under test.
//
//nolint:gochecknoglobals // built once for all tests, and removed after the last of them
var programs = process.NewPrograms("./services/ciwatch/cmd/ciwatch")

func TestMain(m *testing.M) {
	flag.Parse()
	// These tests wait for leases to end more than they compute.
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := parallel.Value.Set("4"); err != nil {
			panic(err)
		}
	}
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

// eventually waits until something is true, looking often.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick, timeout := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-timeout:
			require.FailNow(t, "it does not happen", what)
		}
	}
}
