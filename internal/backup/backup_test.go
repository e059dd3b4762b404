package backup_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/backup"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const stream = "MLSDM_DEADLETTERS"

func quiet(string, string, int64) {}

// fill publishes dead letters, which nobody takes, and writes a key.
func fill(t *testing.T, b *bus.Bus, n int) {
	t.Helper()
	for i := range n {
		_, err := b.Publish(t.Context(), bus.Msg{
			Subject: b.Subjects().Below("deadletters.events"), ID: "id-" + strconv.Itoa(i), Body: []byte("letter " + strconv.Itoa(i)),
		})
		require.NoError(t, err)
	}
	kv, err := b.KV(t.Context(), events.BucketEndpoints)
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "a", []byte("endpoint"))
	require.NoError(t, err)
}

// The closed bus gives the administrator what a backup needs, and another server has all of it after a restore.
func TestWhatIsSavedIsRestoredElsewhere(t *testing.T) {
	t.Parallel()
	from := bustest.Start(t, bustest.Closed())
	admin, err := bus.Connect(t.Context(), from.Config(), "test", bus.Options{Key: from.Key(t, "admin")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close(context.WithoutCancel(t.Context()))) })
	from.Provision(t)
	kv, err := admin.KV(t.Context(), events.BucketEndpoints)
	require.NoError(t, err)
	revision, err := kv.Put(t.Context(), "a", []byte("endpoint"))
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "backup")
	m, err := backup.Save(t.Context(), admin, dir, quiet)
	require.NoError(t, err)
	require.Len(t, m.Assets, len(events.Streams())+len(events.Buckets())+len(events.ObjectStores()))
	info, err := os.Stat(filepath.Join(dir, stream+".snapshot"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	to := bustest.Start(t, bustest.Closed(), bustest.Bare())
	b, err := bus.Connect(t.Context(), to.Config(), "test", bus.Options{Key: to.Key(t, "admin")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close(context.WithoutCancel(t.Context()))) })
	steps, err := backup.Plan(t.Context(), b, m, false)
	require.NoError(t, err)
	require.NoError(t, backup.Load(t.Context(), b, dir, m, steps, 0, quiet))
	restored, err := b.KV(t.Context(), events.BucketEndpoints)
	require.NoError(t, err)
	value, at, err := restored.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "endpoint", string(value))
	require.Equal(t, revision, at)
	for _, c := range events.Consumers() {
		_, found, err := b.Consumer(t.Context(), b.Subjects().StreamName(c.Stream), c.Name)
		require.NoError(t, err)
		require.True(t, found, c.Name)
	}
}

func TestMessagesKeepTheirSequences(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	b := srv.Connect(t, "test")
	fill(t, b, 500)
	_, err := b.Purge(t.Context(), stream, "nothing.there")
	require.NoError(t, err)
	dir := t.TempDir()
	m, err := backup.Save(t.Context(), b, dir, quiet)
	require.NoError(t, err)
	_, err = backup.Save(t.Context(), b, dir, quiet)
	require.ErrorContains(t, err, "finished backup")

	steps, err := backup.Plan(t.Context(), b, m, false)
	require.NoError(t, err)
	require.ErrorContains(t, backup.Load(t.Context(), b, dir, m, steps, 0, quiet), "--replace")
	require.NoError(t, b.DeleteStream(t.Context(), stream))
	steps, err = backup.Plan(t.Context(), b, m, true)
	require.NoError(t, err)
	require.NoError(t, backup.Load(t.Context(), b, dir, m, steps, 0, quiet))
	for seq := uint64(1); seq <= 500; seq++ {
		got, err := b.StoredMessage(t.Context(), stream, seq)
		require.NoError(t, err)
		require.Equal(t, "letter "+strconv.FormatUint(seq-1, 10), string(got.Body))
	}
	steps, err = backup.Plan(t.Context(), b, m, true)
	require.NoError(t, err)
	for _, s := range steps {
		require.Equal(t, backup.ActionKeep, s.Action, s.Stream)
	}
}

func TestDamageIsFoundBeforeAnythingIsTouched(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	b := srv.Connect(t, "test")
	fill(t, b, 20)
	dir := t.TempDir()
	_, err := backup.Save(t.Context(), b, dir, quiet)
	require.NoError(t, err)
	_, err = backup.Verify(t.Context(), dir)
	require.NoError(t, err)
	name := filepath.Join(dir, stream+".snapshot")
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	flipped := append([]byte{}, whole...)
	flipped[len(flipped)/2] ^= 1
	for what, content := range map[string][]byte{"truncated": whole[:len(whole)-1], "a bit": flipped, "longer": append(whole, 0), "empty": nil} {
		require.NoError(t, os.WriteFile(name, content, 0o600), what)
		_, err = backup.Verify(t.Context(), dir)
		require.ErrorIs(t, err, backup.ErrDamaged, what)
	}
	require.NoError(t, os.Remove(name))
	_, err = backup.Verify(t.Context(), dir)
	require.ErrorIs(t, err, backup.ErrDamaged)
	for _, manifest := range []string{"", "{}", "[]", `{"format":1,"id":"x","prefix":"mlsdm","assets":[{"stream":"../../etc/passwd"}]}`, `{"format":99}`} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(manifest), 0o600))
		_, err = backup.Verify(t.Context(), dir)
		require.Error(t, err, manifest)
	}
}

func TestAnInterruptedBackupGoesOn(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	b := srv.Connect(t, "test")
	fill(t, b, 20)
	total := len(events.Streams()) + len(events.Buckets()) + len(events.ObjectStores())
	for stop := 1; stop <= total; stop += 3 {
		dir := t.TempDir()
		ctx, cancel := contextAfter(t, stop)
		_, err := backup.Save(ctx, b, dir, cancel)
		if err == nil {
			require.GreaterOrEqual(t, stop, total)
			continue
		}
		_, err = backup.Verify(t.Context(), dir)
		require.ErrorIs(t, err, backup.ErrUnfinished)
		m, err := backup.Save(t.Context(), b, dir, quiet)
		require.NoError(t, err)
		require.Len(t, m.Assets, total)
		_, err = backup.Verify(t.Context(), dir)
		require.NoError(t, err)
	}
}
