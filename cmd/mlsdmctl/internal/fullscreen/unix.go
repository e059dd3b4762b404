//go:build linux || darwin

package fullscreen

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// unbuffered has a terminal hand over keys as they are pressed, and show none of them. A read ends after a tenth of a second without one.
// Ctrl-Z does nothing: who comes back would find the terminal as this program needs it, and not as a shell does.
func unbuffered(in *os.File) (restore func() error, err error) {
	fd := int(in.Fd())
	was, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, ErrNoTerminal
	}
	now := *was
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME], now.Cc[unix.VSUSP] = 0, 1, disabled
	if err := unix.IoctlSetTermios(fd, setTermios, &now); err != nil {
		return nil, fmt.Errorf("the terminal cannot be set: %w", err)
	}
	return func() error {
		if err := unix.IoctlSetTermios(fd, setTermios, was); err != nil {
			return fmt.Errorf("the terminal cannot be set back: %w", err)
		}
		return nil
	}, nil
}

// size asks a terminal for its size; 0 when it does not tell.
func size(out *os.File) (columns, rows int) {
	w, err := unix.IoctlGetWinsize(int(out.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(w.Col), int(w.Row)
}
