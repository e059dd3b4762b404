package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// deadLetters answers replays of so many dead letters, of which every tenth cannot be delivered. A cursor is the number that
// follows.
func deadLetters(total int) func(int, events.ReplayRequest) (events.ReplayReply, error) {
	return func(_ int, r events.ReplayRequest) (events.ReplayReply, error) {
		at := 0
		if r.Cursor != "" {
			var err error
			if at, err = strconv.Atoi(r.Cursor); err != nil {
				return events.ReplayReply{}, events.Errorf(events.CodeInvalidArgument, "the cursor is wrong")
			}
		}
		page := r.Limit
		if page == 0 {
			page = 800
		}
		end := min(at+page, total)
		reply := events.ReplayReply{Matched: end - at, Skipped: end/10 - at/10, Scanned: end - at, Done: end == total}
		if !reply.Done {
			reply.Cursor = strconv.Itoa(end)
		}
		if !r.DryRun {
			reply.Replayed = reply.Matched - reply.Skipped
		}
		return reply, nil
	}
}

// real are the requests that were no dry runs.
func (f *fakeDispatcher) real() []events.ReplayRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.replays), func(r events.ReplayRequest) bool { return r.DryRun })
}

func TestReplay(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{replay: deadLetters(1371)}).start(t)
	code, out, errs := f.ctl(t, "replay --endpoint shop --type ci.* --fault receiver --since 2026-01-01T00:00:00Z --yes")
	require.Zero(t, code, errs)
	require.Equal(t, []string{
		"1,234 dead letters of endpoint shop would be delivered again; 137 cannot be: their endpoint is gone or disabled, or they cannot be read",
		"1,234 dead letters of endpoint shop are on their way again; 137 cannot be: their endpoint is gone or disabled, or they cannot be read",
	}, lines(out))
	require.Empty(t, errs, "nobody sees progress")
	sent := f.real()
	require.Len(t, sent, 3)
	require.Len(t, f.replays, 5, "two to count")
	require.NoError(t, events.CheckToken("replay_id", sent[0].ReplayID))
	for i, r := range sent {
		require.Equal(t, events.ReplayRequest{
			DeliveryFilter: events.DeliveryFilter{EndpointID: "shop", EventType: "ci.*", Fault: events.FaultReceiver, Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
			From:           events.ReplayDeadLetters, ReplayID: sent[0].ReplayID, Limit: 500, Cursor: []string{"", "500", "1000"}[i],
		}, r)
	}
	code, _, _ = f.ctl(t, "replay --yes")
	require.Zero(t, code)
	require.NotEqual(t, sent[0].ReplayID, f.real()[3].ReplayID, "another replay has another name")
}

func TestReplayFromEvents(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{replay: deadLetters(3)}).start(t)
	code, out, _ := f.ctl(t, "replay --from events --to audit --event e1 --yes")
	require.Zero(t, code)
	require.Contains(t, out, "3 events are on their way again, to endpoint audit")
	require.Equal(t, events.ReplayEvents, f.real()[0].From)
	require.Equal(t, "e1", f.real()[0].EventID)
}

func TestReplayDryRun(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{replay: deadLetters(1371)}).start(t)
	code, out, _ := f.ctl(t, "replay --dry-run")
	require.Zero(t, code)
	require.Contains(t, out, "1,234 dead letters would be delivered again")
	code, out, _ = f.ctl(t, "replay --dry-run --json --limit 1100")
	require.Zero(t, code)
	require.JSONEq(t, `{"matched":1100,"replayed":0,"skipped":110,"scanned":1100}`, out)
	require.Empty(t, f.real())
}

func TestReplayOfNothing(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{replay: deadLetters(0)}).start(t)
	code, out, _ := f.ctl(t, "replay --yes")
	require.Zero(t, code)
	require.Equal(t, []string{"0 dead letters would be delivered again"}, lines(out))
	require.Empty(t, f.real())
}

func TestReplayJSON(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{replay: deadLetters(20)}).start(t)
	code, out, _ := f.ctl(t, "replay --yes --json --limit 12")
	require.Zero(t, code)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &got), "one object, and nothing else")
	require.Equal(t, f.real()[0].ReplayID, got["replay_id"])
	require.InDelta(t, 11, got["replayed"], 0)
	require.Equal(t, 12, f.real()[0].Limit)
}

func TestReplayAsks(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{"y\n": 0, "YES\n": 0, "n\n": 1, "\n": 1, "": 1, "yesterday\n": 1} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			f := (&fakeDispatcher{replay: deadLetters(1371)}).start(t)
			var stdout bytes.Buffer
			stderr := screen()
			code := run(t.Context(), f.args("replay"), terminal{in: keyboard(answer), out: &stdout, err: stderr, lookup: none})
			require.Equal(t, want, code)
			require.Contains(t, stdout.String(), "1,234 dead letters would be delivered again")
			require.Contains(t, stderr.String(), "Go ahead?")
			require.Contains(t, stderr.String(), "counting: 1,371 chosen of 1,371 looked at")
			if want != 0 {
				require.Empty(t, f.real())
				require.Contains(t, stderr.String(), "nothing was delivered")
				return
			}
			require.Len(t, f.real(), 3)
			require.Contains(t, stderr.String(), "450 on their way, 50 skipped, 500 looked at")
			require.Contains(t, stdout.String(), "1,234 dead letters are on their way again")
		})
	}
}

func TestReplayCannotAsk(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{replay: deadLetters(3)}).start(t)
	code, _, errs := f.ctl(t, "replay")
	require.Equal(t, 2, code)
	require.Contains(t, errs, "--yes")
	for _, args := range []string{
		"--limit=-1", "--rate=-1", "--resume x", "--resume :x", "--from events", "--from events --to a --fault receiver", "--endpoint a.b",
		"--since 1h --until 2h", "--resume a.b:x",
	} {
		code, _, errs := f.ctl(t, "replay --yes "+args)
		require.Equal(t, 2, code, "%s: %s", args, errs)
	}
	require.Empty(t, f.replays)

	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	require.False(t, interactive(null))
	require.True(t, interactive(keyboard("")))
}

// TestReplayIsInterrupted: the page in work is finished, the way to go on is told, and going on repeats nothing.
func TestReplayIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	letters := deadLetters(2000)
	f := (&fakeDispatcher{}).start(t)
	f.replay = func(n int, r events.ReplayRequest) (events.ReplayReply, error) {
		if !r.DryRun && r.Cursor == "500" {
			cancel() // Ctrl-C
		}
		return letters(n, r)
	}
	var stdout, stderr bytes.Buffer
	code := run(ctx, f.args("replay --endpoint shop --type ci.* --until 1m --limit 1800 --yes"), terminal{in: strings.NewReader(""), out: &stdout, err: &stderr, lookup: none})
	require.Equal(t, 130, code)
	sent := f.real()
	require.Len(t, sent, 2)
	require.Contains(t, stderr.String(), "900 are on their way")
	require.NotContains(t, stdout.String(), "are on their way")
	said := lines(stderr.String())
	line := strings.TrimSpace(said[len(said)-1])
	until := sent[0].Until.Format(time.RFC3339Nano)
	require.Equal(t, "mlsdmctl webhooks deliveries replay --endpoint shop --type 'ci.*' --until "+until+" --limit 800 --resume "+sent[0].ReplayID+":1000", line)

	args := strings.TrimPrefix(strings.ReplaceAll(line, "'", ""), "mlsdmctl webhooks deliveries ")
	f.replay = letters
	code, out, errs := f.ctl(t, args+" --yes")
	require.Zero(t, code, errs)
	require.Contains(t, out, "720 dead letters of endpoint shop would be delivered again", "only what is left is counted")
	again := f.real()[2:]
	require.Len(t, again, 2)
	require.Equal(t, sent[0].ReplayID, again[0].ReplayID)
	require.Equal(t, sent[0].Until, again[0].Until)
	require.Equal(t, "1000", again[0].Cursor)
	require.Equal(t, 300, again[1].Limit)
}

func TestReplayFailsHalfWay(t *testing.T) {
	t.Parallel()
	letters := deadLetters(2000)
	f := (&fakeDispatcher{replay: func(n int, r events.ReplayRequest) (events.ReplayReply, error) {
		if !r.DryRun && r.Cursor == "500" {
			return events.ReplayReply{}, events.Errorf(events.CodeUnavailable, "no leader")
		}
		return letters(n, r)
	}}).start(t)
	code, _, errs := f.ctl(t, "replay --from events --to audit --yes --rate 5000")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "no leader; 450 are on their way. To go on:")
	require.Contains(t, errs, "--from events --to audit --rate 5000 --resume "+f.real()[0].ReplayID+":500")
}

func TestReplayRate(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{replay: deadLetters(50)}).start(t)
	began := time.Now()
	code, _, errs := f.ctl(t, "replay --yes --rate 20")
	require.Zero(t, code, errs)
	require.Greater(t, time.Since(began), 1700*time.Millisecond, "18 and 18 of 45 take 0.9 s each")
	require.Len(t, f.real(), 3)
	require.Equal(t, 20, f.real()[0].Limit)
}

// TestReplayIsInterruptedAtTheQuestion: Ctrl-C is an answer, too.
func TestReplayIsInterruptedAtTheQuestion(t *testing.T) {
	t.Parallel()
	f := (&fakeDispatcher{replay: deadLetters(5)}).start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	typing, typed := io.Pipe()
	defer typed.Close()
	asked := &cancelOn{word: "Go ahead?", cancel: cancel}
	code := run(ctx, f.args("replay"), terminal{in: tty{Reader: typing}, out: io.Discard, err: asked, lookup: none})
	require.Equal(t, 1, code)
	require.Empty(t, f.real())
}

// cancelOn cancels when a word is written.
type cancelOn struct {
	word   string
	cancel context.CancelFunc
}

func (c *cancelOn) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.word)) {
		c.cancel()
	}
	return len(p), nil
}
