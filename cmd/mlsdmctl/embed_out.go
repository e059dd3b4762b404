package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
)

// outFormat is the format of the file; empty if there is none.
func (o outFile) outFormat() (vectorfile.Format, error) {
	if o.Format != "" || o.Out == "" {
		return vectorfile.Format(o.Format), nil
	}
	format, err := vectorfile.FormatOf(o.Out)
	if err != nil {
		return "", &usageError{err}
	}
	return format, nil
}

// openOut begins the file of an answer, which comes as a whole: there is nothing to go on with.
func (o outFile) openOut(ask vectorfile.Ask) (*vectorfile.File, error) {
	out, err := vectorfile.Open(o.Out, ask, o.Overwrite)
	if err == nil && out.State().Rows > 0 {
		err = errors.Join(vectorfile.ErrOther, out.Close())
	}
	if errors.Is(err, vectorfile.ErrOther) {
		err = fmt.Errorf("%s: %w, and is not finished", o.Out, vectorfile.ErrOther)
	}
	if err != nil {
		return nil, explainOut(err, o.Out)
	}
	return out, nil
}

// checkOut checks that the file can be written, unless it is to be replaced.
func (o outFile) checkOut(ask vectorfile.Ask) error {
	if o.Out == "" || o.Overwrite {
		return nil
	}
	out, err := o.openOut(ask)
	if err != nil {
		return err
	}
	return out.Close()
}

// explainOut says what to do about a file that cannot be gone on with.
func explainOut(err error, name string) error {
	switch {
	case errors.Is(err, vectorfile.ErrThere):
		return &hintedError{err, "--overwrite replaces it."}
	case errors.Is(err, vectorfile.ErrOther), errors.Is(err, corpus.ErrChanged), errors.Is(err, vectorfile.ErrSpace):
		return &hintedError{err, "Write to another file, or begin " + name + " anew with --overwrite."}
	default:
		return err
	}
}

// tellOut says what came of a file. Texts without a vector, which the file faults names, are an error in the end. id is that of the durable
// request, if it was one.
func (o outFile) tellOut(c *connection, t terminal, s vectorfile.State, faults, id string) error {
	var err error
	switch {
	case c.JSON:
		out := map[string]any{
			"out": o.Out, "texts": s.Rows, "failed": s.Failed, "truncated": s.Truncated, "empty_lines": s.Input.Empty, "tokens": s.Tokens,
			"model": s.Space.Model, "space": s.Space.ID, "dimensions": s.Space.Dimensions,
		}
		if s.Failed > 0 {
			out["errors"] = faults
		}
		if id != "" {
			out["request_id"] = id
		}
		err = printJSON(t, out)
	case !o.Quiet:
		_, err = fmt.Fprintln(t.out, strings.Join(o.outLines(s, faults), "\n"))
	}
	if err == nil && s.Failed > 0 && !o.SkipErrors {
		return fmt.Errorf("%s of %s texts have no vector: %s says which, and why", thousands(s.Failed), thousands(s.Rows), faults)
	}
	return err
}

// outLines is what came of a file, for a person.
func (o outFile) outLines(s vectorfile.State, faults string) []string {
	lines := []string{fmt.Sprintf("%s: %s vectors of %d numbers, %s tokens, by %s in the space %s",
		o.Out, thousands(s.Rows-s.Failed), s.Space.Dimensions, thousands(s.Tokens), printable(s.Space.Model), printable(s.Space.ID))}
	if s.Truncated > 0 {
		lines = append(lines, thousands(s.Truncated)+" texts are longer than the model reads, and their ends were not read")
	}
	if s.Input.Empty > 0 {
		lines = append(lines, thousands(s.Input.Empty)+" lines are empty, and have no row")
	}
	if s.Failed > 0 && o.SkipErrors {
		lines = append(lines, thousands(s.Failed)+" texts have no vector: "+faults+" says which, and why")
	}
	return lines
}
