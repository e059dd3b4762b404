package fullscreen

import "golang.org/x/sys/unix"

// How the settings of a terminal are asked for and set, and the key that is none.
const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
	disabled   = 0xff
)
