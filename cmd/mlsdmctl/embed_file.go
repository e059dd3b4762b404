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

// ask is what the flags ask of a file, once it is known to make sense.
func (e embedCommand) ask() (vectorfile.Ask, error) {
	a, err := e.asked()
	switch {
	case e.Out == "":
		err = &usageError{errors.New("--file needs --out, which says where the vectors go")}
	case len(e.Texts) > 0:
		err = &usageError{errors.New("texts on the command line are for the eye: leave them out, or --file and --out")}
	case err != nil:
	case e.Batch < 1 || e.Batch > events.MaxInputs:
		err = &usageError{fmt.Errorf("--batch is %d; it must be 1 to %d", e.Batch, events.MaxInputs)}
	case e.Parallel < 1 || e.Parallel > maxParallel:
		err = &usageError{fmt.Errorf("--parallel is %d; it must be 1 to %d", e.Parallel, maxParallel)}
	}
	return a, err
}

// asked is what the flags ask for, whichever way it is done.
func (e embedCommand) asked() (vectorfile.Ask, error) {
	a := vectorfile.Ask{
		Model: e.Model, Dimensions: e.Dimensions, InputType: e.InputType, Truncate: e.Truncate, AllowOtherSpace: e.AllowOtherSpace,
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
	if a.Format, err = e.outFormat(); err != nil {
		return a, err
	}
	req := e.request()
	req.Input = events.TextInput{"a text"}
	invalid := req.Validate()
	switch {
	case !a.JSONL && (e.Field != "" || e.IDField != ""):
		return a, &usageError{errors.New("--field and --id-field are for JSON lines: say --input-format jsonl if the input is that")}
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
	return e.tellOut(c, t, state, out.Errors(), "")
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
