package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// embedDurable is what concerns durable requests.
type embedDurable struct {
	Durable bool          `help:"Send the texts, up to 100,000, as one durable request: it is worked to its end whatever crashes, and what was paid for is kept."`
	ID      string        `name:"id" placeholder:"ID" help:"Id of the durable request, used for nothing else. The same again under the same id gives the same result, and pays nothing."`
	NoWait  bool          `help:"Print the id of the durable request, and end. \"mlsdmctl job ID\" shows how far it is."`
	Keep    time.Duration `placeholder:"DURATION" help:"How long the result of the durable request is kept: 2m to 24h; without it 1h."`
}

// minKeep is the least time to keep a result: what is kept for less than two minutes would be gone while its id is still known as a duplicate.
const minKeep = 2 * time.Minute

// checkDurable refuses flags that make no sense together.
func (e embedCommand) checkDurable() error {
	var err error
	if e.ID != "" {
		err = events.CheckToken("--id", e.ID)
	}
	switch {
	case !e.Durable && (e.ID != "" || e.NoWait || e.Keep != 0):
		err = errors.New("--id, --no-wait and --keep are for durable requests: say --durable, too")
	case !e.Durable, err != nil:
	case len(e.Texts) > 0 && e.File != "":
		err = errors.New("the texts are on the command line and in --file: leave one out")
	case e.NoWait && e.Out != "":
		err = errors.New("--no-wait waits for no vectors that --out could hold: \"mlsdmctl job ID --out FILE\" fetches them")
	case e.Keep != 0 && (e.Keep < minKeep || e.Keep > events.MaxResultTTL):
		err = fmt.Errorf("--keep is %v; it must be %v to %v", e.Keep, minKeep, events.MaxResultTTL)
	}
	if err != nil {
		return &usageError{err}
	}
	return nil
}

// durable is one run of the command with a durable request.
type durable struct {
	command embedCommand
	*connection
	terminal

	client *client.Client
	sent   sent
}

// runDurable embeds by a durable request.
func (e embedCommand) runDurable(ctx context.Context, c *connection, t terminal) error {
	ask, err := e.asked()
	if err != nil {
		return err
	}
	if err := e.checkOut(ask); err != nil { // before anything is paid
		return err
	}
	d := &durable{command: e, connection: c, terminal: t}
	if d.sent, err = e.texts(t, ask); err != nil {
		return err
	}
	if d.client, err = c.client(ctx, t); err != nil {
		return err
	}
	defer d.client.Close()
	req, err := d.request()
	if err != nil {
		return err
	}
	follows, err := d.submit(ctx, req)
	if err != nil || e.NoWait {
		return err
	}
	resp, err := d.wait(ctx, req, follows)
	if err != nil {
		return err
	}
	return d.write(ctx, req.ID(), ask, resp)
}

// request makes the request.
func (d *durable) request() (*client.DurableRequest, error) {
	req := d.command.request()
	req.EncodingFormat = events.EncodingBase64
	req.Input = make(events.TextInput, len(d.sent.items))
	for i, item := range d.sent.items {
		req.Input[i] = item.Text
	}
	var options []client.SubmitOption
	if d.command.Keep > 0 {
		options = append(options, client.KeepResult(d.command.Keep))
	}
	made, err := d.client.DurableEmbed(d.command.ID, req, options...)
	if err != nil && strings.Contains(err.Error(), " bytes; ") {
		return nil, tooMuch(err)
	}
	return made, err
}

// submit stores the request and tells its id. One that is being worked on under its id is not stored again, but followed: a second
// one may be paid for.
func (d *durable) submit(ctx context.Context, req *client.DurableRequest) (follows bool, err error) {
	if d.command.ID != "" {
		job, err := d.client.Job(ctx, req.ID())
		follows = err == nil && job.State == events.JobRunning // whatever else there is to it, the queue takes the request
		if follows && job.Total != len(d.sent.items) {
			return false, fmt.Errorf("the request id %q is that of another request, of %s texts, which is being worked on: choose an id that is used once",
				req.ID(), thousands(job.Total))
		}
	}
	if !follows {
		if err := req.Submit(ctx); err != nil && ctx.Err() != nil {
			return false, d.interrupted(req.ID(), "whether the request is stored is not known")
		} else if err != nil {
			return false, unsure(req.ID(), err)
		}
	}
	if d.command.NoWait && d.JSON {
		return follows, printJSON(d.terminal, map[string]any{"request_id": req.ID(), "texts": len(d.sent.items), "duplicate": follows || req.Duplicate()})
	}
	if d.command.NoWait {
		if _, err := fmt.Fprintln(d.out, req.ID()); err != nil {
			return follows, err
		}
	}
	if !d.JSON && !d.command.Quiet {
		did := "is stored"
		if follows || req.Duplicate() {
			did = "was there already"
		}
		fmt.Fprintf(d.err, "Request %s of %s texts %s; \"mlsdmctl job %s\" shows how far it is.\n", req.ID(), thousands(len(d.sent.items)), did, quoted(req.ID()))
	}
	return follows, nil
}

// unsure says what can be done when nobody knows whether a request is stored.
func unsure(id string, err error) error {
	switch events.CodeOf(err) {
	case events.CodeUnavailable, events.CodeDeadlineExceeded:
		return &hintedError{hint(err), "It may be stored all the same: the same command with --id " + quoted(id) + " is safe, and pays nothing twice."}
	default:
		return hint(err)
	}
}

// wait waits for the answer.
func (d *durable) wait(ctx context.Context, req *client.DurableRequest, follows bool) (*events.EmbeddingsResponse, error) {
	w := &watch{client: d.client, id: req.ID(), display: newDisplay(d.terminal, d.command.Quiet || d.JSON), patience: d.Timeout, stored: true}
	resp, err := w.wait(ctx, req.Result)
	switch {
	case err == nil:
		return resp, nil
	case ctx.Err() != nil:
		return nil, d.interrupted(req.ID(), goesOn)
	case req.Duplicate() && !follows && events.AsError(err).Retryable:
		return nil, &hintedError{hint(err), "That is what the same request came to that was sent in the last two minutes. When those are over the same command tries again."}
	default:
		return nil, hint(err)
	}
}

// goesOn is what becomes of a request that nobody waits for.
const goesOn = "the request goes on, and its result is kept"

// interrupted says what becomes of the request, and how to come back.
func (d *durable) interrupted(id, becomes string) error {
	same := "the same command with --id " + quoted(id)
	if d.command.IDField != "" { // the result has no names of texts
		same = "To come back to it, say " + same + "."
	} else {
		same = "To come back to it:\n  " + comeBack(id, d.command.Out) + "\nor " + same + "."
	}
	return &resumableError{fmt.Errorf("interrupted; %s. %s", becomes, same), context.Canceled, lifecycle.ExitKilled}
}

// comeBack is the command line that goes on with waiting.
func comeBack(id, out string) string {
	line := "mlsdmctl job " + quoted(id) + " --watch"
	if out != "" {
		line += " --out " + quoted(out)
	}
	return line
}

// write writes the answer in the form that is asked for.
func (d *durable) write(ctx context.Context, id string, ask vectorfile.Ask, resp *events.EmbeddingsResponse) error {
	a, err := newDurableAnswer(d.client, id, resp)
	if err == nil && a.texts != len(d.sent.items) {
		err = events.Errorf(events.CodeInternal, "the answer has the vectors of %d texts, and %d were sent", a.texts, len(d.sent.items))
	}
	if err != nil {
		return err
	}
	switch {
	case d.command.Out != "":
		err = d.command.writeOut(ctx, d.connection, d.terminal, a, ask, d.sent)
	case d.JSON:
		err = a.print(ctx, d.terminal)
	default:
		err = a.show(ctx, d.terminal, d.sent.items)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return d.interrupted(id, goesOn)
	case err != nil:
		return gone(err)
	case resp.Failed > 0 && d.command.Out == "" && !d.command.SkipErrors:
		return fmt.Errorf("%s of %s texts have no vector", thousands(resp.Failed), thousands(a.texts))
	}
	return nil
}

// gone says what to do when there is an answer, and its vectors are not kept any longer.
func gone(err error) error {
	if events.CodeOf(err) == events.CodeNotFound {
		return &hintedError{err, "To have the vectors made again, ask under another id: under this one the answer is kept that says they are there."}
	}
	return hint(err)
}
