package main

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// cannedCI answers the operations about CI with what a test wants. It is safe for concurrent use.
type cannedCI struct {
	*bustest.Server

	mu      sync.Mutex
	replies map[string]string // by operation, the JSON
	errs    map[string]error
	asked   map[string][]string // by operation, the bodies
}

// startCI serves it on a server of its own.
func startCI(t *testing.T) *cannedCI {
	t.Helper()
	f := &cannedCI{Server: bustest.Start(t, bustest.Bare()), replies: map[string]string{}, errs: map[string]error{}, asked: map[string][]string{}}
	service := bus.Service{Name: "fake", Version: "1.0.0", DrainTimeout: 100 * time.Millisecond}
	for _, name := range []string{events.OpCIStatus, events.OpCICheck, events.OpCIHistory, events.OpCIRecover} {
		service.Operations = append(service.Operations, bus.Operation{Name: name, Handler: func(_ context.Context, r *bus.Request) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.asked[name] = append(f.asked[name], string(r.Body))
			if err := f.errs[name]; err != nil {
				return err
			}
			return r.Respond([]byte(f.replies[name]))
		}})
	}
	b := f.Connect(t, "fake")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, service) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	probe := f.Connect(t, "probe")
	require.Eventually(t, func() bool {
		ask, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := probe.Request(ask, bus.Msg{Subject: "$SRV.PING.fake"})
		return err == nil
	}, soon, time.Millisecond)
	return f
}

// say makes something the answer of an operation.
func (f *cannedCI) say(t *testing.T, operation string, reply any) {
	t.Helper()
	text, err := json.Marshal(reply)
	require.NoError(t, err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replies[operation], f.errs[operation] = string(text), nil
}

// refuse makes an error the answer of an operation.
func (f *cannedCI) refuse(operation string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs[operation] = err
}

// questions are the bodies that an operation was asked with.
func (f *cannedCI) questions(operation string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.asked[operation]...)
}

// ctl runs a command of the group without a terminal.
func (f *cannedCI) ctl(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	return atServer(t.Context(), f.Server, "", append([]string{"ci"}, args...)...)
}

// ciNow is when the canned answers are looked at by tests of what is printed.
func ciNow() time.Time { return time.Date(2025, time.May, 4, 12, 0, 0, 0, time.UTC) }

// ciMoment is a time before that.
func ciMoment(before time.Duration) time.Time { return ciNow().Add(-before) }

// hostileText plays with a terminal: a colour, a title, a line that is written over, another direction, what is not seen.
const hostileText = "ev\x1b[31mil\x1b]0;title\x07\r\n\u202egnp\u200b\u009b2J\tend"

// requireTame requires that a text changes nothing of a terminal but lines.
func requireTame(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		require.False(t, r < ' ' && r != '\n' || r >= 0x7f && r <= 0x9f || r == '\u202e' || r == '\u200b', "%q in %q", r, text)
	}
}
