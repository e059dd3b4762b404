package section

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// MaxFile bounds a configuration file, in bytes.
const MaxFile = 4 << 20

// ErrUnreadable is wrapped by the errors of files that are not there, or cannot be read.
var ErrUnreadable = errors.New("it cannot be read")

// ReadFile reads a configuration file of at most [MaxFile] bytes.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	case len(text) > MaxFile:
		return nil, fmt.Errorf("%s has more than %d MiB", name, MaxFile>>20)
	}
	return text, nil
}
