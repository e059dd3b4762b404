package backup_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/backup"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
)

// A restore that is interrupted in the middle of a stream leaves a part of it on the server. That is not taken for the stream: it is made again.
func TestAPartOfAStreamIsMadeAgain(t *testing.T) {
	t.Parallel()
	from := bustest.Start(t).Connect(t, "test")
	const letters, size = 128, 32 << 10
	for range letters {
		body := make([]byte, size) // which does not get smaller
		_, _ = rand.Read(body)     // it never fails
		_, err := from.Publish(t.Context(), bus.Msg{Subject: from.Subjects().Below("deadletters.events"), Body: body})
		require.NoError(t, err)
	}
	dir := filepath.Join(t.TempDir(), "backup")
	m, err := backup.Save(t.Context(), from, dir, quiet)
	require.NoError(t, err)

	b := bustest.Start(t, bustest.Bare()).Connect(t, "test")
	steps, err := backup.Plan(t.Context(), b, m, false)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = backup.Load(ctx, b, dir, m, steps, 0, func(name, what string, bytes int64) {
		if name == stream && what == "restoring" && bytes > 3<<20 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	state, metadata, found, err := b.SnapshotStateOf(t.Context(), stream)
	require.NoError(t, err)
	require.True(t, found, "servers do so since 2.15; if this one does not any more, the rest shows nothing")
	require.Less(t, state.Messages, uint64(letters))
	require.Equal(t, m.ID, metadata["mlsdm-restoring"])

	steps, err = backup.Plan(t.Context(), b, m, false)
	require.NoError(t, err)
	actions := map[string]int{}
	for _, s := range steps {
		actions[s.Action]++
		require.Equal(t, s.Stream == stream, s.Action == backup.ActionAgain, s.Stream)
	}
	require.Positive(t, actions[backup.ActionKeep])
	require.Positive(t, actions[backup.ActionCreate])
	var told []string
	require.NoError(t, backup.Load(t.Context(), b, dir, m, steps, 0, func(name, what string, _ int64) {
		if what == "waiting" || name == stream && what == "restored" {
			told = append(told, what)
		}
	}))
	require.Equal(t, "waiting restored", strings.Join(told, " "))
	state, metadata, _, err = b.SnapshotStateOf(t.Context(), stream)
	require.NoError(t, err)
	require.Equal(t, uint64(letters), state.Messages)
	require.Equal(t, m.ID, metadata["mlsdm-restored-from"])
	require.NotContains(t, metadata, "mlsdm-restoring")
	_, err = b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Below("deadletters.events"), Body: []byte("one more")})
	require.NoError(t, err, "it is the stream that takes messages")
}
