package bus_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// seedOf makes an nkey and returns its seed.
func seedOf(t *testing.T, pair nkeys.KeyPair, err error) string {
	t.Helper()
	require.NoError(t, err)
	seed, err := pair.Seed()
	require.NoError(t, err)
	return string(seed)
}

func TestReadKey(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateUser()
	seed := seedOf(t, pair, err)
	for name, want := range map[string]struct{ text, user, api string }{
		"plain":        {seed, "", ""},
		"with a line":  {seed + "\n", "", ""},
		"by init":      {"# user: admin\n# api: API.x\n" + seed + "\n", "admin", "API.x"},
		"odd comments": {"# user: a.b\n# api: a b.>\n#user: x\n# hello\n\n" + seed, "", ""},
	} {
		path := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(path, []byte(want.text), 0o600))
		key, err := bus.ReadKey(path)
		require.NoError(t, err, name)
		require.Equal(t, seed, key.Seed.Reveal(), name)
		require.Equal(t, want.user, key.User, name)
		require.Equal(t, want.api, key.API.Reveal(), name)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", key, key, key), seed)
	}
}

func TestReadKeyRefuses(t *testing.T) {
	t.Parallel()
	account, err := nkeys.CreateAccount()
	seed := seedOf(t, account, err)
	for name, text := range map[string]string{
		"nothing": "", "no seed": "hello", "another kind": seed, "half a seed": "SUAB", "too large": strings.Repeat("# x\n", 20<<10),
	} {
		path := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := bus.ReadKey(path)
		require.ErrorContains(t, err, path, name)
		require.NotContains(t, err.Error(), seed)
	}
	_, err = bus.ReadKey(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
