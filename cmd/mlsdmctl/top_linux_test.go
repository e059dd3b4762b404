package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/ptytest"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
)

// onTerminal runs top on a terminal of its own.
func onTerminal(ctx context.Context, x *ptytest.Terminal, s *bustest.Server) chan int {
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"--server", s.URL(), "top", "--interval", "500ms"}, terminal{in: x.Device, out: x.Device, err: x.Device, lookup: none})
	}()
	return ended
}

func TestTopGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	for name, end := range map[string]func(x *ptytest.Terminal, interrupt context.CancelFunc){
		"q":      func(x *ptytest.Terminal, _ context.CancelFunc) { x.Type(t, "q") },
		"Ctrl-C": func(_ *ptytest.Terminal, interrupt context.CancelFunc) { interrupt() }, // as the signal's handler does
	} {
		x := ptytest.New(t, 100, 30)
		before := x.Settings(t)
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		ended := onTerminal(ctx, x, s)
		x.Shows(t, "\x1b[?1049h")
		x.Shows(t, "no service answers: `mlsdmctl up` starts all of them")
		require.NotEqual(t, before, x.Settings(t))
		end(x, interrupt)
		require.Zero(t, <-ended, name)
		require.Equal(t, before, x.Settings(t), name)
		require.Eventually(t, func() bool { return strings.HasSuffix(x.Text(), "\x1b[?7h\x1b[?25h\x1b[?1049l") }, soon, resizeEvery/10, name)
	}
}

func TestTopOnATerminalOfAnySize(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	x := ptytest.New(t, 100, 40)
	ended := onTerminal(t.Context(), x, s)
	x.Shows(t, "dispatcher-router")
	x.Type(t, "r")
	x.Shows(t, "sorts by rate")
	x.Type(t, "3a") // all streams, and nothing else
	x.Shows(t, "DEADLETTERS")
	x.Type(t, "0")
	for _, size := range [][2]uint16{{1, 1}, {3, 2}, {20, 6}} {
		before := len(x.Text())
		x.Resize(t, size[0], size[1])
		require.Eventually(t, func() bool { return strings.HasSuffix(x.Text(), "\x1b[?2026l") && len(x.Text()) > before }, soon, resizeEvery/10)
		frame := x.Text()[strings.LastIndex(x.Text(), "\x1b[H"):]
		require.LessOrEqual(t, strings.Count(frame, "\r\n"), int(size[1])-1, "it does not scroll: %q", frame)
	}
	x.Type(t, "q")
	require.Zero(t, <-ended)
}
