package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// NATSServer is the package of the NATS server's own command, in the version that go.mod names; [Programs] can build it.
const NATSServer = "github.com/nats-io/nats-server/v2"

// NATS is a NATS server with JetStream that can be killed and started again on its data.
type NATS struct {
	*Process

	// URL is where clients connect.
	URL string

	t            testing.TB
	env          map[string]string
	path, config string
}

// StartNATS starts the server at path with an environment, on a port that stays free while it is killed and started again,
// and with a data folder that goes when the test ends.
func StartNATS(t testing.TB, path string, env map[string]string) *NATS {
	t.Helper()
	dir, addr := t.TempDir(), FreeAddr(t)
	s := &NATS{t: t, URL: "nats://" + addr, env: env, path: path, config: filepath.Join(dir, "nats.conf")}
	// What streams may grow to is reserved; several installations would not fit on a disk that has room for what they hold.
	config := fmt.Sprintf("listen: %q\nmax_payload: 8MB\njetstream { store_dir: %q, max_file_store: 1TB }\n", addr, filepath.Join(dir, "data"))
	require.NoError(t, os.WriteFile(s.config, []byte(config), 0o600))
	s.Start()
	return s
}

// Start starts it again, after it was killed, and waits until it serves.
func (s *NATS) Start() {
	s.t.Helper()
	s.Process = Start(s.t, s.path, "", s.env, "-c", s.config)
	s.Errs.Await(s.t, "Server is ready")
}

// FreeAddr returns a loopback address that is free, and stays so while a process is killed and started on it: its port is below
// those that the system hands out by itself.
func FreeAddr(t testing.TB) string {
	t.Helper()
	for range 100 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(12000+rand.IntN(18000)))
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
		if err == nil {
			require.NoError(t, l.Close())
			return addr
		}
	}
	require.Fail(t, "no port is free")
	return ""
}
