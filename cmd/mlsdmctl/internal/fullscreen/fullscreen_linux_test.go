package fullscreen_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/fullscreen"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/ptytest"
)

func TestScreenGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	x := ptytest.New(t, 20, 3)
	before := x.Settings(t)
	s, err := fullscreen.Open(x.Device, x.Device)
	require.NoError(t, err)
	require.NotEqual(t, before, x.Settings(t))
	require.NotZero(t, x.Settings(t).Lflag&unix.ISIG, "Ctrl-C stays a signal")

	x.Type(t, "q")
	require.Equal(t, byte('q'), <-s.Keys())

	lines := []string{"one", "a line that is longer than twenty columns", "three", "four"}
	require.NoError(t, s.Draw(lines))
	x.Shows(t, "\x1b[?2026h\x1b[Hone\x1b[K\r\na line that is longe\x1b[K\r\nthree\x1b[K\x1b[J\x1b[?2026l")
	require.NoError(t, s.Draw(lines))
	x.Resize(t, 10, 2)
	require.NoError(t, s.Draw(lines))
	x.Shows(t, "\x1b[Hone\x1b[K\r\na line tha\x1b[K\x1b[J")
	require.Equal(t, 2, strings.Count(x.Text(), "\x1b[H"), "what has not changed is not drawn again")

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.Equal(t, before, x.Settings(t))
	x.Shows(t, "\x1b[?7h\x1b[?25h\x1b[?1049l")
}

func TestScreenNeedsATerminal(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	_, err = fullscreen.Open(r, w)
	require.ErrorIs(t, err, fullscreen.ErrNoTerminal)
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line, want string
		columns    int
	}{
		{"abc", "abc", 3},
		{"abc", "ab", 2},
		{"äöü", "äö", 2},
		{"\x1b[31mabc\x1b[0m", "\x1b[31mab\x1b[0m", 2},
		{"\x1b[31mabc\x1b[0m", "\x1b[31mabc\x1b[0m", 3},
		{"\x1b[31mabc\x1b[0m", "\x1b[31m\x1b[0m", 0},
		{"a\x1b[", "a", 9},
		{"", "", 5},
	} {
		require.Equal(t, c.want, fullscreen.Cut(c.line, c.columns), "%q", c.line)
	}
}
