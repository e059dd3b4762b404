package fullscreen

import "golang.org/x/sys/unix"

// How the settings of a terminal are asked for and set, and the key that is none.
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
	disabled   = 0
)
