package backup

import (
	"errors"
	"io"

	"github.com/klauspost/compress/s2"
)

// decode reads a snapshot of the server's to its end. What is inside is the server's affair and differs between its versions; around it is s2
// in all of them, whose checksums find what was damaged on the way here, before it was hashed. A snapshot that nobody can read is found when it is made, and not
// when it is needed.
func decode(r io.Reader) error {
	size, err := io.Copy(io.Discard, s2.NewReader(r))
	if err == nil && size == 0 {
		err = errors.New("the snapshot is empty")
	}
	return err
}
