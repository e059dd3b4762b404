package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/bulk"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of work on a file.
const (
	maxParallel    = 64
	embedPatience  = 5 * time.Minute // with a service that cannot answer now
	defaultField   = "text"
	standardStream = "-"
)

// ask is what the flags ask for, once it is known to make sense.
func (e embedCommand) ask() (vectorfile.Ask, error) {
	a := vectorfile.Ask{
		Format: vectorfile.Format(e.Format), Model: e.Model, Dimensions: e.Dimensions, InputType: e.InputType, Truncate: e.Truncate,
		AllowOtherSpace: e.AllowOtherSpace,
	}
	switch ext := strings.ToLower(filepath.Ext(e.File)); {
	case e.InputFormat != "":
		a.JSONL = e.InputFormat == "jsonl"
	default:
		a.JSONL = ext == ".jsonl" || ext == ".ndjson"
	}
	if a.JSONL {
		a.Field, a.IDField = cmp.Or(e.Field, defaultField), e.IDField
	}
	var err error
	if a.Format == "" && e.Out != "" {
		a.Format, err = vectorfile.FormatOf(e.Out)
	}
	req := e.request()
	req.Input = events.TextInput{"a text"}
	invalid := req.Validate()
	switch {
	case e.Out == "":
		return a, &usageError{errors.New("--file needs --out, which says where the vectors go")}
	case len(e.Texts) > 0:
		return a, &usageError{errors.New("texts on the command line are for the eye: leave them out, or --file and --out")}
	case err != nil:
		return a, &usageError{err}
	case !a.JSONL && (e.Field != "" || e.IDField != ""):
		return a, &usageError{errors.New("--field and --id-field are for JSON lines: say --input-format jsonl if the input is that")}
	case e.Batch < 1 || e.Batch > events.MaxInputs:
		return a, &usageError{fmt.Errorf("--batch is %d; it must be 1 to %d", e.Batch, events.MaxInputs)}
	case e.Parallel < 1 || e.Parallel > maxParallel:
		return a, &usageError{fmt.Errorf("--parallel is %d; it must be 1 to %d", e.Parallel, maxParallel)}
	case invalid != nil:
		return a, &usageError{errors.New(events.AsError(invalid).Message)}
	}
	return a, nil
}

// runFile embeds a file into a file.
func (e embedCommand) runFile(ctx context.Context, c *connection, t terminal) error {
	e.File = cmp.Or(e.File, standardStream)
	ask, err := e.ask()
	if err != nil {
		return err
	}
	in, size, err := openInput(e.File, t)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := vectorfile.Open(e.Out, ask, e.Overwrite)
	if err != nil {
		return explainOut(err, e.Out)
	}
	state, err := e.work(ctx, c, t, in, size, out)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := e.tell(c, t, state, out.Errors()); err != nil {
		return err
	}
	if state.Failed > 0 && !e.SkipErrors {
		return fmt.Errorf("%s of %s texts have no vector: %s says which, and why", thousands(state.Failed), thousands(state.Rows), out.Errors())
	}
	return nil
}

// openInput opens the input. The size is 0 if it is not known.
func openInput(name string, t terminal) (io.ReadCloser, int64, error) {
	if name == standardStream {
		return io.NopCloser(t.in), 0, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	if !info.Mode().IsRegular() {
		return file, 0, nil
	}
	return file, info.Size(), nil
}

// work does all of it, as far as it goes.
func (e embedCommand) work(ctx context.Context, c *connection, t terminal, in io.Reader, size int64, out *vectorfile.File) (vectorfile.State, error) {
	begun := out.State()
	reader := corpus.New(in, corpus.Format{JSONL: begun.Ask.JSONL, Field: begun.Ask.Field, IDField: begun.Ask.IDField})
	if err := reader.Skip(begun.Input); err != nil {
		return begun, explainOut(err, e.Out)
	}
	cl, err := c.client(ctx, t)
	if err != nil {
		return begun, err
	}
	defer cl.Close()
	p := newProgress(t, e.Quiet || c.JSON, size, begun, time.Now())
	if begun.Rows > 0 {
		p.say("%s goes on behind line %s: %s texts are done", e.Out, thousands(begun.Input.Lines), thousands(begun.Rows))
	}
	job := bulk.Job{
		Embed: func(ctx context.Context, texts []string) (*events.EmbeddingsResponse, error) {
			ctx, cancel := context.WithTimeout(ctx, c.Timeout)
			defer cancel()
			req := e.request()
			req.Input = texts
			return cl.Embed(ctx, req)
		},
		In: reader, Out: out, Batch: e.Batch, Parallel: e.Parallel, SkipErrors: e.SkipErrors, Patience: embedPatience, Told: p.told,
	}
	stop := context.AfterFunc(ctx, func() { p.note("stopping when the requests on their way are answered; Ctrl-C once more stops at once") })
	err = job.Run(ctx)
	stop()
	p.end()
	state := out.State()
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return state, e.interrupted(state)
	case err != nil && state.Rows > 0:
		return state, &resumableError{fmt.Errorf("%w\n%s texts are done; the same command goes on behind them", explainOut(hint(err), e.Out), thousands(state.Rows)), err, lifecycle.ExitCode(err)}
	case err != nil:
		return state, hint(err)
	case state.Rows == 0:
		return state, fmt.Errorf("nothing to embed: there is no text in %s", e.File)
	}
	return state, out.Finish()
}

// interrupted says how to go on.
func (embedCommand) interrupted(s vectorfile.State) error {
	return &resumableError{
		fmt.Errorf("interrupted; %s texts are done. The same command, without --overwrite, goes on behind them", thousands(s.Rows)),
		context.Canceled, lifecycle.ExitKilled,
	}
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

// tell says what came of it.
func (e embedCommand) tell(c *connection, t terminal, s vectorfile.State, faults string) error {
	if c.JSON {
		out := map[string]any{
			"out": e.Out, "texts": s.Rows, "failed": s.Failed, "truncated": s.Truncated, "empty_lines": s.Input.Empty, "tokens": s.Tokens,
			"model": s.Space.Model, "space": s.Space.ID, "dimensions": s.Space.Dimensions,
		}
		if s.Failed > 0 {
			out["errors"] = faults
		}
		return printJSON(t, out)
	}
	if e.Quiet {
		return nil
	}
	lines := []string{fmt.Sprintf("%s: %s vectors of %d numbers, %s tokens, by %s in the space %s",
		e.Out, thousands(s.Rows-s.Failed), s.Space.Dimensions, thousands(s.Tokens), printable(s.Space.Model), printable(s.Space.ID))}
	if s.Truncated > 0 {
		lines = append(lines, thousands(s.Truncated)+" texts are longer than the model reads, and their ends were not read")
	}
	if s.Input.Empty > 0 {
		lines = append(lines, thousands(s.Input.Empty)+" lines are empty, and have no row")
	}
	if s.Failed > 0 && e.SkipErrors {
		lines = append(lines, thousands(s.Failed)+" texts have no vector: "+faults+" says which, and why")
	}
	_, err := fmt.Fprintln(t.out, strings.Join(lines, "\n"))
	return err
}
