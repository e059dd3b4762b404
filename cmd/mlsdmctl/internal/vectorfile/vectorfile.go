// Package vectorfile writes vectors into a file, row by row: NumPy's npy, JSON lines, or Parquet. It holds none of them in memory, and
// a file that was left half-written, by a crash too, is gone on with.
//
// Three files are written. NAME.part is what there is so far. NAME.progress says how much of that counts, and what it was made of;
// it is written after the rows are on the disk, so that what it says is true whenever the process ends. NAME.errors.jsonl names the
// texts of which there is no vector, if there are any. When everything is there the first becomes NAME, and the second goes.
package vectorfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Format is the format of a file.
type Format string

// The formats.
const (
	NPY     Format = "npy"     // a matrix of little-endian float32, version 1.0; the row of a text without a vector holds zeros
	JSONL   Format = "jsonl"   // {"index", "id", "embedding"} a line, or {"index", "id", "error"}
	Parquet Format = "parquet" // the columns id, index and embedding, which is null where there is no vector
)

// FormatOf returns the format that the end of a file's name stands for.
func FormatOf(name string) (Format, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".npy":
		return NPY, nil
	case ".jsonl", ".ndjson":
		return JSONL, nil
	case ".parquet":
		return Parquet, nil
	default:
		return "", fmt.Errorf("the name %s does not say in which format to write: let it end in .npy, .jsonl or .parquet, or say --format", name)
	}
}

// Row is what became of one text.
type Row struct {
	// Line is the line of the input, from 1, and ID what names the text there; nil if nothing does.
	Line int
	ID   json.RawMessage
	// Vector is nil if there is an Error.
	Vector    []float32
	Truncated *events.Truncation
	Error     *events.ErrorBody
}

// Ask is what is asked for. A file that was begun is gone on with only if it is the same.
type Ask struct {
	Format          Format `json:"format"`
	JSONL           bool   `json:"jsonl,omitempty"`
	Field           string `json:"field,omitempty"`
	IDField         string `json:"id_field,omitempty"`
	Model           string `json:"model,omitempty"`
	Dimensions      int    `json:"dimensions,omitempty"`
	InputType       string `json:"input_type,omitempty"`
	Truncate        string `json:"truncate,omitempty"`
	AllowOtherSpace bool   `json:"allow_other_space,omitempty"`
}

// differs names the first thing that is not the same, as the command line calls it.
func (a Ask) differs(was Ask) error {
	for _, d := range []struct {
		name     string
		was, now any
	}{
		{"--format", was.Format, a.Format},
		{"JSON lines as the input", was.JSONL, a.JSONL},
		{"--field", was.Field, a.Field},
		{"--id-field", was.IDField, a.IDField},
		{"--model", was.Model, a.Model},
		{"--dimensions", was.Dimensions, a.Dimensions},
		{"--input-type", was.InputType, a.InputType},
		{"--truncate", was.Truncate, a.Truncate},
		{"--allow-other-space", was.AllowOtherSpace, a.AllowOtherSpace},
	} {
		if d.was != d.now {
			return fmt.Errorf("%w: %s was %q, and is %q now", ErrOther, d.name, fmt.Sprint(d.was), fmt.Sprint(d.now))
		}
	}
	return nil
}

// Space is the space that all vectors of a file lie in.
type Space struct {
	// ID is the same for vectors that can be compared.
	ID string `json:"id"`
	// Model is the model that answered, as "provider/model".
	Model string `json:"model"`
	// Dimensions is the length of the vectors.
	Dimensions int `json:"dimensions"`
}

// State is how far a file has come.
type State struct {
	// Ask is what was asked for.
	Ask Ask `json:"ask"`
	// Space is empty as long as there is no vector.
	Space Space `json:"space"`
	// Input is what was read and is done.
	Input corpus.Position `json:"input"`
	// Rows counts the texts, Failed those of them without a vector, Truncated those of which the end was not read.
	Rows      int `json:"rows"`
	Failed    int `json:"failed,omitempty"`
	Truncated int `json:"truncated,omitempty"`
	// Tokens is what was used.
	Tokens int `json:"tokens,omitempty"`
	// Bytes is how much of the half-written file counts, and ErrorBytes how much of that of the errors.
	Bytes      int64 `json:"bytes"`
	ErrorBytes int64 `json:"error_bytes,omitempty"`
	// Whole says that there is nothing to come.
	Whole bool `json:"whole,omitempty"`
}

// Errors of files.
var (
	// ErrThere is the error of a file that is there already, whole.
	ErrThere = errors.New("the file is there already")
	// ErrOther is the error of a file that was begun with something else.
	ErrOther = errors.New("the file was begun with something else")
	// ErrSpace is the error of a vector of another space.
	ErrSpace = errors.New("the vectors lie in another space now")
	// ErrBusy is the error of a file that another process writes.
	ErrBusy = errors.New("another process writes the file")
)
