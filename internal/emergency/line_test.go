package emergency_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/emergency"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

var errAway = errors.New("JetStream is away")

// stream is one that takes events, or does not.
type stream struct {
	mu     sync.Mutex
	err    error
	hangs  bool
	events []events.Event
}

func (s *stream) publish(ctx context.Context, ev events.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if s.err != nil {
		return s.err
	}
	s.events = append(s.events, ev)
	return nil
}

func (s *stream) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// replica is one with a spool.
type replica struct {
	*emergency.Line

	dir   string
	log   bytes.Buffer
	ended []error
}

func newReplica(dir, service, instance string, s *stream) *replica {
	r := &replica{dir: dir}
	r.Line = emergency.New(emergency.Options{
		Service: service, Instance: instance, Publish: s.publish, Spool: emergency.NewSpool(dir),
		Log: slog.New(slog.NewTextHandler(&r.log, nil)), End: func(err error) { r.ended = append(r.ended, err) },
	})
	return r
}

// files are the names of what is in the spool.
func (r *replica) files(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(r.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func why(reason string) events.SystemEmergencyShutdown {
	return events.SystemEmergencyShutdown{Reason: reason, Trigger: events.TriggerOperator}
}

func TestAnnounceStoresTheEventOnce(t *testing.T) {
	t.Parallel()
	var s stream
	r := newReplica(filepath.Join(t.TempDir(), "spool"), "dispatcher", "node-1-ab", &s)
	r.End()
	require.Empty(t, r.ended, "nothing was said yet")
	got, err := r.Announce(t.Context(), why("the disk fails"))
	require.NoError(t, err)
	require.Equal(t, emergency.Announced{EventID: "shutdown-dispatcher-node-1-ab", Reason: "the disk fails", Stored: true}, got)
	again, err := r.Announce(t.Context(), why("another reason"))
	require.NoError(t, err)
	require.Equal(t, got, again)

	require.Len(t, s.events, 1)
	ev := s.events[0]
	require.Equal(t, "/mlsdm/dispatcher", ev.Source)
	require.Equal(t, "dispatcher", ev.Subject)
	body, err := events.Decode[events.SystemEmergencyShutdown](ev)
	require.NoError(t, err)
	require.Equal(t, events.SystemEmergencyShutdown{Service: "dispatcher", Reason: "the disk fails", Instance: "node-1-ab", Trigger: "operator"}, body)
	require.Empty(t, r.files(t), "what is stored is not kept")

	r.End()
	require.Len(t, r.ended, 1)
	require.Equal(t, 75, lifecycle.ExitCode(r.ended[0]))
	require.ErrorContains(t, r.ended[0], "the disk fails")
}

func TestAnnounceRefusesNoReason(t *testing.T) {
	t.Parallel()
	var s stream
	r := newReplica(t.TempDir(), "dispatcher", "a", &s)
	_, err := r.Announce(t.Context(), why(""))
	require.ErrorContains(t, err, "reason")
	r.End()
	require.Empty(t, r.ended)
}

// The stream is away or does not answer: the event waits in the spool for a few seconds' price, and the next start publishes it.
func TestSpooledEventIsPublishedByTheNextStart(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*stream{"away": {err: errAway}, "slow": {hangs: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "state", "spool")
			synctest.Test(t, func(t *testing.T) {
				r := newReplica(dir, "embedder", "one", s)
				start := time.Now()
				canceled, cancel := context.WithCancel(t.Context())
				cancel()
				got, err := r.Announce(canceled, why("no memory"))
				require.NoError(t, err)
				require.False(t, got.Stored)
				require.LessOrEqual(t, time.Since(start), 3*time.Second)
				require.Equal(t, []string{"shutdown-embedder-one.json"}, r.files(t))
				for _, path := range []string{dir, filepath.Join(dir, "shutdown-embedder-one.json")} {
					info, err := os.Stat(path)
					require.NoError(t, err)
					require.Zero(t, info.Mode().Perm()&0o077, path)
				}
				r.End()
				require.Len(t, r.ended, 1)

				var later stream
				later.set(errAway)
				other := newReplica(dir, "generator", "two", &later)
				other.Replay(t.Context())
				require.Len(t, r.files(t), 1, "it is another service's")

				next := newReplica(dir, "embedder", "two", &later)
				done := make(chan struct{})
				go func() {
					defer close(done)
					next.Replay(t.Context())
				}()
				<-time.After(time.Minute)
				require.Len(t, r.files(t), 1)
				later.set(nil)
				<-done
				require.Empty(t, r.files(t))
				require.Len(t, later.events, 1)
				require.Equal(t, got.EventID, later.events[0].ID)
				next.Replay(t.Context())
				require.Len(t, later.events, 1)
			})
		})
	}
}

func TestReplayEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := stream{err: errAway}
		r := newReplica(dir, "embedder", "one", &s)
		_, err := r.Announce(t.Context(), why("no memory"))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		r.Replay(ctx)
		require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
		require.Len(t, r.files(t), 1)
	})
}

// What is in the spool is published in the name of the service: what is none of ours is not.
func TestReplayOfWhatIsNoneOfOurs(t *testing.T) {
	t.Parallel()
	event := func(id, source, typ, data string) string {
		return `{"specversion":"1.0","id":"` + id + `","source":"` + source + `","type":"` + typ + `","data":` + data + `}`
	}
	good := `{"service":"embedder","reason":"r"}`
	for name, text := range map[string]string{
		"nothing":        "",
		"no JSON":        "{",
		"another id":     event("shutdown-embedder-y", "/mlsdm/embedder", "system.emergency_shutdown", good),
		"another source": event("shutdown-embedder-x", "/mlsdm/dispatcher", "system.emergency_shutdown", good),
		"another type":   event("shutdown-embedder-x", "/mlsdm/embedder", "custom.deploy", good),
		"no reason":      event("shutdown-embedder-x", "/mlsdm/embedder", "system.emergency_shutdown", `{"service":"embedder"}`),
		"too large":      event("shutdown-embedder-x", "/mlsdm/embedder", "system.emergency_shutdown", `{"service":"embedder","reason":"`+strings.Repeat("x", 64<<10)+`"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s stream
			r := newReplica(t.TempDir(), "embedder", "one", &s)
			require.NoError(t, os.Chmod(r.dir, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(r.dir, "shutdown-embedder-x.json"), []byte(text), 0o600))
			r.Replay(t.Context())
			require.Empty(t, s.events)
			require.Contains(t, r.log.String(), "none of ours")
			require.Len(t, r.files(t), 1, "it is not ours to remove")
		})
	}
}

func TestSpoolTakesNoLinks(t *testing.T) {
	t.Parallel()
	var s stream
	r := newReplica(t.TempDir(), "embedder", "one", &s)
	require.NoError(t, os.Chmod(r.dir, 0o700))
	target := filepath.Join(t.TempDir(), "target.json")
	text := `{"specversion":"1.0","id":"shutdown-embedder-x","source":"/mlsdm/embedder","type":"system.emergency_shutdown","data":{"service":"embedder","reason":"r"}}`
	require.NoError(t, os.WriteFile(target, []byte(text), 0o600))
	require.NoError(t, os.Symlink(target, filepath.Join(r.dir, "shutdown-embedder-x.json")))
	r.Replay(t.Context())
	require.Empty(t, s.events)
	require.FileExists(t, target)
}

// A spool that cannot be used costs the event only when the stream does not take it either; then the log has it.
func TestSpoolThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"others may write there": func(t *testing.T, dir string) { require.NoError(t, os.Chmod(dir, 0o777)) },
		"it is a file": func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir))
			require.NoError(t, os.WriteFile(dir, nil, 0o600))
		},
		"it is a link": func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir))
			require.NoError(t, os.Symlink(t.TempDir(), dir))
		},
		"it is full": func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(dir, 0o700))
			for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "file"+string(c)), nil, 0o600))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "spool")
			require.NoError(t, os.Mkdir(dir, 0o700))
			spoil(t, dir)
			var works stream
			got, err := newReplica(dir, "embedder", "one", &works).Announce(t.Context(), why("no memory"))
			require.NoError(t, err)
			require.True(t, got.Stored)

			fails := stream{err: errAway}
			r := newReplica(dir, "embedder", "two", &fails)
			got, err = r.Announce(t.Context(), why("no memory"))
			require.NoError(t, err)
			require.False(t, got.Stored)
			require.Contains(t, r.log.String(), `reason\":\"no memory`)
			r.End()
			require.Len(t, r.ended, 1, "it ends all the same")
		})
	}
}
