package backup_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/backup"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Retries are held back until what waits is in the backup, however long that takes, and no longer.
func TestRetriesWaitAsLongAsABackupTakes(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	b := srv.Connect(t, "test")
	waiting := b.Subjects().StreamName(events.StreamWaiting)
	nc := srv.Conn(t)
	held := func() bool {
		m, err := nc.Request("$JS.API.CONSUMER.INFO."+waiting+"."+events.ConsumerRetries, nil, 5*time.Second)
		require.NoError(t, err)
		var info struct {
			Paused bool `json:"paused"`
		}
		require.NoError(t, json.Unmarshal(m.Data, &info))
		return info.Paused
	}
	const pause = 2 * time.Second
	looked := 0
	_, err := backup.SaveHolding(t.Context(), b, t.TempDir(), func(stream, what string, _ int64) {
		if stream != waiting || what != "saving" || looked > 0 {
			return
		}
		for begun := time.Now(); time.Since(begun) < 2*pause; looked++ { // as a slow disk does
			require.True(t, held(), "after %s", time.Since(begun))
			<-time.After(pause / 20)
		}
	}, pause)
	require.NoError(t, err)
	require.Positive(t, looked)
	require.False(t, held())
}

// A backup whose way was open in between is none: what went that way is in neither stream.
func TestAWayThatOpenedIsFound(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	b := srv.Connect(t, "test")
	waiting := b.Subjects().StreamName(events.StreamWaiting)
	dir := t.TempDir()
	slow := func(stream, what string, _ int64) {
		if stream == waiting && what == "saving" {
			<-time.After(20 * time.Millisecond)
		}
	}
	_, err := backup.SaveHolding(t.Context(), b, dir, slow, 4*time.Nanosecond) // nobody can renew that
	require.ErrorContains(t, err, "run it again")
	_, err = backup.Verify(t.Context(), dir)
	require.ErrorIs(t, err, backup.ErrUnfinished)
	taken := 0
	m, err := backup.Save(t.Context(), b, dir, func(stream, what string, _ int64) {
		if what == "saved" && (stream == waiting || stream == b.Subjects().StreamName(events.StreamDeliveries)) {
			taken++
		}
	})
	require.NoError(t, err)
	require.Equal(t, 2, taken, "both are taken again")
	require.False(t, m.Finished.IsZero())
}
