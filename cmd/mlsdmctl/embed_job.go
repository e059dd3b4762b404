package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// jobCommand shows a durable request for vectors.
type jobCommand struct {
	ID    string `arg:"" help:"Id of the request, as mlsdmctl embed --durable printed it."`
	Watch bool   `short:"w" help:"Wait for its result, and show how far it is."`

	outFile `embed:""`
}

// Help shows examples.
func (jobCommand) Help() string {
	return "  mlsdmctl job corpus-7\n" +
		"  mlsdmctl job corpus-7 --watch --out vectors.npy\n" +
		"  mlsdmctl job corpus-7 --json | jq .state\n\n" +
		"It knows the requests of this caller: --caller has to be what it was when they were sent. Ctrl-C ends the watching, and changes\n" +
		"nothing for the request. In --out each text is a row, in the order in which they were sent. To have the texts' own names in it\n" +
		"(--id-field), or whole vectors printed, send the same again: mlsdmctl embed --durable --id ID, which pays nothing."
}

// jobState is what is known of a request: one of its result, its failure, and how far it is, or several.
type jobState struct {
	resp    *events.EmbeddingsResponse
	failure error
	job     *events.EmbeddingsJob // nil for one that is not worked in parts
}

// over reports whether there is a result to show.
func (s jobState) over() bool { return s.resp != nil || s.failure != nil }

// jobRun is one run of the command.
type jobRun struct {
	jobCommand
	*connection
	terminal

	client *client.Client
}

// Run implements the command.
func (j jobCommand) Run(ctx context.Context, c *connection, t terminal) error {
	format, err := j.outFormat()
	if err == nil && events.CheckToken("id", j.ID) != nil {
		err = &usageError{fmt.Errorf("%q is no id of a request: it is 1 to 128 printable ASCII characters without . * > and space", j.ID)}
	}
	if err != nil {
		return err
	}
	ask := vectorfile.Ask{Format: format}
	if err := j.checkOut(ask); err != nil {
		return err
	}
	cl, err := c.client(ctx, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	r := &jobRun{jobCommand: j, connection: c, terminal: t, client: cl}
	s, err := r.look(ctx)
	if j.Watch && !s.over() && (err == nil && s.job.State == events.JobRunning || err != nil && mayBeThere(err)) {
		s, err = r.follow(ctx, err == nil)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return r.interrupted()
	case err != nil:
		return err
	case j.Out != "":
		return r.fetch(ctx, ask, s)
	default:
		return r.tell(s)
	}
}

// mayBeThere reports whether a request of which nothing could be learned may be there all the same.
func mayBeThere(err error) bool {
	switch events.CodeOf(err) {
	case events.CodeNotFound, events.CodeUnavailable, events.CodeDeadlineExceeded:
		return true
	default:
		return false
	}
}

// look looks what is known now. Unless there is an error, something is.
func (r *jobRun) look(ctx context.Context) (jobState, error) {
	job, unknown := r.client.Job(ctx, r.ID)
	s := jobState{job: job}
	var resp events.EmbeddingsResponse
	found, err := r.client.ResultNow(ctx, r.ID, &resp)
	switch {
	case !found && err != nil:
		return jobState{}, hint(err)
	case found && err == nil:
		s.resp = &resp
	case found && job != nil && job.State == events.JobRunning && events.AsError(err).Retryable: // it was sent again since
	case found:
		s.failure = err
	case unknown != nil && events.CodeOf(unknown) == events.CodeNotFound:
		return s, &hintedError{unheard(r.ID), "--watch waits for it, and for --timeout at most to hear of it."}
	case unknown != nil:
		return s, hint(unknown)
	}
	return s, nil
}

// follow waits until there is more to know. Known says that the request is there.
func (r *jobRun) follow(ctx context.Context, known bool) (jobState, error) {
	w := &watch{display: newDisplay(r.terminal, r.Quiet || r.JSON), client: r.client, id: r.ID, stored: known, patience: r.Timeout}
	_, err := w.wait(ctx, func(ctx context.Context, resp any) error { return r.client.Result(ctx, r.ID, resp) })
	if ctx.Err() != nil {
		return jobState{}, ctx.Err()
	}
	s, unknown := r.look(ctx)
	switch {
	case unknown == nil && s.over():
		return s, nil
	case err == nil: // it went between two looks
		err = r.notKept()
	}
	return jobState{}, hint(err)
}

// interrupted says how to come back.
func (r *jobRun) interrupted() error {
	return &resumableError{
		fmt.Errorf("interrupted; that changes nothing for the request. To come back to it:\n  %s", comeBack(r.ID, r.Out)),
		context.Canceled, lifecycle.ExitKilled,
	}
}

// notKept is the error of a result that was there.
func (r *jobRun) notKept() error {
	return &hintedError{
		events.Errorf(events.CodeNotFound, "the result of the request %s is not kept any longer", r.ID),
		"To have the vectors made again, ask under another id. --keep says how long a result is kept.",
	}
}

// fetch writes the vectors into the file.
func (r *jobRun) fetch(ctx context.Context, ask vectorfile.Ask, s jobState) error {
	switch {
	case s.failure != nil:
		return hint(s.failure)
	case s.resp == nil && s.job.State == events.JobRunning:
		return &hintedError{fmt.Errorf("the request %s is not done: %s", r.ID, strings.Join(jobParts(*s.job, *s.job), " · ")), "--watch waits for it."}
	case s.resp == nil:
		return r.notKept()
	}
	a, err := newDurableAnswer(r.client, r.ID, s.resp)
	if err == nil {
		err = r.writeOut(ctx, r.connection, r.terminal, a, ask, sent{})
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return r.interrupted()
	case err != nil:
		return gone(err)
	}
	return nil
}

// tell tells what is known. Who has waited for the result is told by the exit status, too, what it is.
func (r *jobRun) tell(s jobState) error {
	var err error
	switch {
	case r.JSON:
		err = printJSON(r.terminal, r.report(s))
	case s.failure != nil && r.Watch:
	case !r.Quiet:
		_, err = fmt.Fprintln(r.out, strings.Join(r.lines(s), "\n"))
	}
	switch {
	case err != nil || !r.Watch:
		return err
	case s.failure != nil:
		return hint(s.failure)
	case s.resp != nil && s.resp.Failed > 0 && !r.SkipErrors:
		return fmt.Errorf("%s of %s texts have no vector", thousands(s.resp.Failed), thousands(textsOf(s.resp)))
	default:
		return nil
	}
}
