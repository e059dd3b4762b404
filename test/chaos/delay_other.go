//go:build !linux

package chaos

import (
	"errors"
	"io"
)

const queueNumber = 0

// holder says that packets can be delayed on Linux only.
func holder(Container, Fault) func() (io.Closer, error) {
	return func() (io.Closer, error) { return nil, errors.ErrUnsupported }
}
