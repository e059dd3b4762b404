package e2e_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
)

// TestBackupKilledAtAnyMoment kills a backup, and then a restore, again and again with -9. The same command goes on, and what is restored in
// the end is what there was.
func TestBackupKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	const kills = 20
	random := seeded(t)
	from := bustest.Start(t)
	u := connect(t, from.URL())
	const letters, objects = 2000, 4
	for i := range letters {
		_, err := u.js.PublishAsync("mlsdm.deadletters.events", fmt.Appendf(nil, "letter %d", i))
		require.NoError(t, err)
	}
	select {
	case <-u.js.PublishAsyncComplete():
	case <-time.After(patience):
		require.Fail(t, "not all is stored")
	}
	store, err := u.js.ObjectStore(t.Context(), "mlsdm_vectors")
	require.NoError(t, err)
	want := map[string][]byte{}
	for i := range objects {
		content := make([]byte, 4<<20)
		for j := range content { // nothing that gets smaller
			content[j] = byte(random.Uint32())
		}
		name := fmt.Sprintf("object-%d", i)
		_, err := store.PutBytes(t.Context(), name, content)
		require.NoError(t, err)
		want[name] = content
	}

	// until runs a command until it ends by itself, killing it before that as often as is asked for, if it lives long enough.
	until := func(server *bustest.Server, times int, args ...string) (killed int) {
		env := map[string]string{"NATS_URL": server.URL()}
		for {
			p := start(t, "mlsdmctl", env, args...)
			if killed < times && p.KillUnlessEnded(20*time.Millisecond+upTo(random, 400*time.Millisecond)) {
				killed++
				continue
			}
			code := p.Exit()
			if killed > 0 && strings.Contains(p.Errs.String(), "finished backup") { // it was killed with nothing left to do
				return killed
			}
			require.Zero(t, code, "%v, killed %d times: %s%s", args, killed, p.Out, p.Errs)
			return killed
		}
	}
	dir := ""
	for killed, n := 0, 0; killed < kills; n++ {
		dir = filepath.Join(t.TempDir(), fmt.Sprint("backup-", n))
		killed += until(from, kills-killed, "backup", dir)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, file := range left {
		require.False(t, strings.HasPrefix(file.Name(), ".unfinished"), "%s is left", file.Name())
	}
	verify := start(t, "mlsdmctl", nil, "backup", dir, "--verify")
	require.Zero(t, verify.Exit(), "%s%s", verify.Out, verify.Errs)

	var to *bustest.Server
	for killed := 0; killed < kills; {
		to = bustest.Start(t, bustest.Bare())
		killed += until(to, kills-killed, "restore", dir, "--yes")
	}
	restored := connect(t, to.URL())
	stream, err := restored.js.Stream(t.Context(), "MLSDM_DEADLETTERS")
	require.NoError(t, err)
	require.Equal(t, uint64(letters), stream.CachedInfo().State.Msgs)
	for _, i := range []uint64{1, letters / 2, letters} {
		m, err := stream.GetMsg(t.Context(), i)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("letter %d", i-1), string(m.Data))
	}
	store, err = restored.js.ObjectStore(t.Context(), "mlsdm_vectors")
	require.NoError(t, err)
	for name := range maps.Keys(want) {
		content, err := store.GetBytes(t.Context(), name) // which compares it with its digest
		require.NoError(t, err)
		require.True(t, bytes.Equal(want[name], content), name)
	}
}
