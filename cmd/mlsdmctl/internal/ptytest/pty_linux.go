package ptytest

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Terminal is a pseudo terminal. Make one with [New].
type Terminal struct {
	// Device is what the program has as its standard input and output.
	Device *os.File

	keyboard *os.File

	mu    sync.Mutex
	shown strings.Builder
}

// New makes a terminal that is closed when the test ends.
func New(t testing.TB, columns, rows uint16) *Terminal {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0))
	device, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	x := &Terminal{Device: device, keyboard: keyboard}
	x.Resize(t, columns, rows)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 4096)
		for {
			n, err := keyboard.Read(buffer)
			x.mu.Lock()
			x.shown.Write(buffer[:n])
			x.mu.Unlock()
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
	return x
}

// Type types keys.
func (x *Terminal) Type(t testing.TB, keys string) {
	t.Helper()
	_, err := x.keyboard.WriteString(keys)
	require.NoError(t, err)
}

// Text is all that was drawn, with the ends of lines as the program wrote them.
func (x *Terminal) Text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.ReplaceAll(x.shown.String(), "\r\r\n", "\r\n") // the terminal adds one
}

// Shows waits until something was drawn.
func (x *Terminal) Shows(t testing.TB, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(x.Text(), text) }, time.Minute, 5*time.Millisecond, "%q is not shown", text)
}

// Settings are how the terminal is set.
func (x *Terminal) Settings(t testing.TB) unix.Termios {
	t.Helper()
	set, err := unix.IoctlGetTermios(int(x.Device.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return *set
}

// Resize changes the size of the terminal.
func (x *Terminal) Resize(t testing.TB, columns, rows uint16) {
	t.Helper()
	require.NoError(t, unix.IoctlSetWinsize(int(x.Device.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}))
}
