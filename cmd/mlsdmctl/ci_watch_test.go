package main

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// deviceScreen is a terminal on which a running command prints.
type deviceScreen struct{ liveScreen }

func (*deviceScreen) Stat() (fs.FileInfo, error) { return device{}, nil }

// watching is a `ci status --watch` that runs.
type watching struct {
	out, err *deviceScreen
	stop     context.CancelFunc
	ended    chan int
}

// watchIn starts the command; live says whether its output is a terminal.
func (f *cannedCI) watchIn(t *testing.T, live bool, args ...string) watching {
	t.Helper()
	w := watching{out: &deviceScreen{}, err: &deviceScreen{}, ended: make(chan int, 1)}
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	screen := terminal{in: strings.NewReader(""), out: &w.out.liveScreen, err: w.err, lookup: none}
	if live {
		screen.out = w.out
	}
	go func() {
		w.ended <- run(ctx, append([]string{"--server", f.URL(), "ci", "status", "--watch"}, args...), screen)
	}()
	t.Cleanup(stop)
	return w
}

// shows waits until something is on the screen.
func (w watching) shows(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(w.out.String(), text) }, soon, 10*time.Millisecond, "%q is not shown, but %s", text, w.out)
}

// end ends it as Ctrl-C would, which is no failure.
func (w watching) end(t *testing.T) {
	t.Helper()
	w.stop()
	require.Zero(t, <-w.ended, w.err)
}

func TestCIWatchOnATerminal(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.say(t, events.OpCIStatus, cannedStatus())
	w := f.watchIn(t, true, "acme/app")
	w.shows(t, "4 failed")
	require.True(t, strings.HasPrefix(w.out.String(), "\x1b[H\x1b[2JREPOSITORY"))

	next := cannedStatus()
	next.Workflows[0].Health, next.Workflows[0].ConsecutiveFailures = events.CIRecovering, 5
	f.say(t, events.OpCIStatus, next)
	w.shows(t, "5 failed")

	f.refuse(events.OpCIStatus, events.Errorf(events.CodeUnavailable, "no ciwatch\x1b[2J"))
	w.shows(t, "shown is what was told ")
	w.shows(t, "no ciwatch[2J")
	next.Workflows[0].ConsecutiveFailures = 6
	f.say(t, events.OpCIStatus, next)
	w.shows(t, "6 failed")
	w.end(t)
	require.JSONEq(t, `{"repository":"acme/app"}`, f.questions(events.OpCIStatus)[1])
}

// A log has what changed, and not how long ago that was.
func TestCIWatchInALog(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	status := cannedStatus()
	f.say(t, events.OpCIStatus, status)
	w := f.watchIn(t, false)
	w.shows(t, "4 failed")
	status.LastPollAt = ciMoment(0) // which is no news
	status.Quotas[0].Spent++
	f.say(t, events.OpCIStatus, status)
	asked := len(f.questions(events.OpCIStatus))
	require.Eventually(t, func() bool { return len(f.questions(events.OpCIStatus)) > asked+1 }, soon, 10*time.Millisecond)
	status.Workflows[0].ConsecutiveFailures = 5
	f.say(t, events.OpCIStatus, status)
	w.shows(t, "5 failed")
	f.refuse(events.OpCIStatus, events.Errorf(events.CodeUnavailable, "no ciwatch"))
	require.Eventually(t, func() bool { return strings.Contains(w.err.String(), "no ciwatch") }, soon, 10*time.Millisecond)
	w.end(t)
	require.Equal(t, 2, strings.Count(w.out.String(), "REPOSITORY"), w.out)
	require.NotContains(t, w.out.String(), "\x1b")
}

func TestCIWatchJSON(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	status := cannedStatus()
	f.say(t, events.OpCIStatus, status)
	w := f.watchIn(t, true, "--json")
	w.shows(t, `"consecutive_failures":4`)
	status.Workflows[0].ConsecutiveFailures = 5
	f.say(t, events.OpCIStatus, status)
	w.shows(t, `"consecutive_failures":5`)
	w.end(t)
	seen := decodeLines[events.CIStatus](t, w.out.String())
	require.Len(t, seen, 2)
	require.Equal(t, 4, seen[0].Workflows[0].ConsecutiveFailures)
	require.Equal(t, 5, seen[1].Workflows[0].ConsecutiveFailures)
}

// What cannot be asked at all is not watched.
func TestCIWatchFails(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.refuse(events.OpCIStatus, events.Errorf(events.CodeFailedPrecondition, "no repository is configured"))
	w := f.watchIn(t, true)
	require.Equal(t, 1, <-w.ended)
	require.Contains(t, w.err.String(), "no repository is configured")
}
