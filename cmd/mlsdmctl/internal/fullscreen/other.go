//go:build !linux && !darwin

package fullscreen

import "os"

// unbuffered is not known how to do here.
func unbuffered(*os.File) (restore func() error, err error) { return nil, ErrNoTerminal }

// size is not known here.
func size(*os.File) (columns, rows int) { return 0, 0 }
