package vectorfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// stateVersion is that of the progress file. One of another version is not gone on with.
const stateVersion = 1

// largestState bounds the progress file, in bytes.
const largestState = 1 << 20

// stateFile is the progress file.
type stateFile struct {
	Version int `json:"version"`
	State
}

// readState reads the progress file, if there is one.
func readState(name string) (s State, there bool, err error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, false, nil
	}
	if err != nil {
		return State{}, false, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, largestState))
	if err != nil {
		return State{}, false, err
	}
	var read stateFile
	if err := json.Unmarshal(text, &read); err != nil || read.Version != stateVersion || read.Bytes < 0 || read.ErrorBytes < 0 || read.Input.Bytes < 0 {
		return State{}, false, fmt.Errorf("%s cannot be read, or is of another version: begin anew with --overwrite", name)
	}
	return read.State, true, nil
}

// writeState replaces the progress file at once.
func writeState(name string, s State) error {
	text, err := json.Marshal(stateFile{Version: stateVersion, State: s})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(name+newEnd, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+newEnd, name); err != nil {
		return err
	}
	return syncDir(name)
}
