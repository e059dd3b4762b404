package emergency_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/emergency"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// An event that the stream never takes keeps no other back, whichever comes first, and is tried again.
func TestReplayGoesOnBehindWhatIsNotTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	synctest.Test(t, func(t *testing.T) {
		away := stream{err: errAway}
		for _, instance := range []string{"a", "b", "c"} {
			_, err := newReplica(dir, "embedder", instance, &away).Announce(t.Context(), why("no memory"))
			require.NoError(t, err)
		}
		var stored []string
		tries := 0
		next := newReplica(dir, "embedder", "next", &away)
		next.Line = emergency.New(emergency.Options{
			Service: "embedder", Instance: "next", Spool: emergency.NewSpool(dir), Log: slog.New(slog.NewTextHandler(&next.log, nil)), End: func(error) {},
			Publish: func(_ context.Context, ev events.Event) error {
				if ev.ID == "shutdown-embedder-b" {
					tries++
					return errors.New("it is too large")
				}
				stored = append(stored, ev.ID)
				return nil
			},
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		next.Replay(ctx)
		require.ElementsMatch(t, []string{"shutdown-embedder-a", "shutdown-embedder-c"}, stored, "each once")
		require.Greater(t, tries, 3)
		require.Equal(t, []string{"shutdown-embedder-b.json"}, next.files(t))
		require.Contains(t, next.log.String(), "it is too large")
	})
}

// What a process that was killed had half written is removed when nobody can be writing it any more.
func TestHalfAnEventIsRemoved(t *testing.T) {
	t.Parallel()
	var s stream
	r := newReplica(t.TempDir(), "embedder", "one", &s)
	require.NoError(t, os.Chmod(r.dir, 0o700))
	old, young, others := "shutdown-embedder-old.json.new", "shutdown-embedder-young.json.new", "shutdown-generator-old.json.new"
	for _, name := range []string{old, young, others} {
		path := filepath.Join(r.dir, name)
		require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
		if name != young {
			long := time.Now().Add(-2 * time.Minute)
			require.NoError(t, os.Chtimes(path, long, long))
		}
	}
	r.Replay(t.Context())
	require.ElementsMatch(t, []string{young, others}, r.files(t))
	require.Empty(t, s.events)
}
