package fullscreen_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/fullscreen"
)

// terminal is a pseudo terminal: what is written to the one end is typed, what is drawn comes out there.
type terminal struct {
	keyboard, device *os.File

	mu    sync.Mutex
	shown strings.Builder
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	fd := int(keyboard.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	device, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	term := &terminal{keyboard: keyboard, device: device}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 4096)
		for {
			n, err := keyboard.Read(buffer)
			term.mu.Lock()
			term.shown.Write(buffer[:n])
			term.mu.Unlock()
			if err != nil { // the device is closed
				return
			}
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, device.Close())
		<-done
		require.NoError(t, keyboard.Close())
	})
	return term
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.ReplaceAll(x.shown.String(), "\r\r\n", "\r\n") // the terminal adds one
}

func (x *terminal) shows(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(x.text(), text) }, 30*time.Second, 5*time.Millisecond, "%q is not shown", text)
}

func (x *terminal) settings(t *testing.T) unix.Termios {
	t.Helper()
	set, err := unix.IoctlGetTermios(int(x.device.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return *set
}

func (x *terminal) resize(t *testing.T, columns, rows uint16) {
	t.Helper()
	require.NoError(t, unix.IoctlSetWinsize(int(x.device.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}))
}

func TestScreenGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	x := newTerminal(t)
	x.resize(t, 20, 3)
	before := x.settings(t)
	s, err := fullscreen.Open(x.device, x.device)
	require.NoError(t, err)
	require.NotEqual(t, before, x.settings(t))
	require.NotZero(t, x.settings(t).Lflag&unix.ISIG, "Ctrl-C stays a signal")

	_, err = x.keyboard.WriteString("q")
	require.NoError(t, err)
	require.Equal(t, byte('q'), <-s.Keys())

	lines := []string{"one", "a line that is longer than twenty columns", "three", "four"}
	require.NoError(t, s.Draw(lines))
	x.shows(t, "\x1b[?2026h\x1b[Hone\x1b[K\r\na line that is longe\x1b[K\r\nthree\x1b[K\x1b[J\x1b[?2026l")
	require.NoError(t, s.Draw(lines))
	x.resize(t, 10, 2)
	require.NoError(t, s.Draw(lines))
	x.shows(t, "\x1b[Hone\x1b[K\r\na line tha\x1b[K\x1b[J")
	require.Equal(t, 2, strings.Count(x.text(), "\x1b[H"), "what has not changed is not drawn again")

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.Equal(t, before, x.settings(t))
	x.shows(t, "\x1b[?7h\x1b[?25h\x1b[?1049l")
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
