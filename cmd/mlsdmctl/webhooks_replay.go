package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// deliveriesReplayCommand delivers again.
type deliveriesReplayCommand struct {
	deliveriesFilter `embed:""`

	Delivery string `placeholder:"ID" help:"The dead letter of this one delivery."`
	Event    string `placeholder:"ID" help:"This one event."`
	From     string `enum:"dead-letters,events" default:"dead-letters" help:"What is delivered: dead-letters, or events, whether they matched the endpoint or not."`
	To       string `placeholder:"ID" help:"The endpoint that gets them; without it that of each dead letter. Needed for events."`
	DryRun   bool   `help:"Count them, and do nothing."`
	Yes      bool   `short:"y" help:"Do not ask."`
	Limit    int    `help:"How many at most; 0 for all."`
	Rate     int    `placeholder:"N" help:"How many a second at most; without it as fast as they can be stored."`
	Resume   string `placeholder:"ID:CURSOR" help:"Go on with a replay that was interrupted, which said how."`
}

// replayPage is how many one request replays.
const replayPage = 500

// Help shows examples.
func (deliveriesReplayCommand) Help() string {
	return "They are counted first, and then you are asked. A dead letter becomes a fresh delivery, with all its attempts. Ctrl-C ends it after\n" +
		"the page in work, and says how to go on.\n\n" +
		"  mlsdmctl webhooks deliveries replay --endpoint shop --since 24h\n" +
		"  mlsdmctl webhooks deliveries replay --fault receiver --type 'ci.*' --rate 50 --yes\n" +
		"  mlsdmctl webhooks deliveries replay --delivery 0123456789abcdef0123456789abcdef --to shop-2\n" +
		"  mlsdmctl webhooks deliveries replay --from events --type 'moral_filter.*' --since 48h --to audit --dry-run"
}

// Run implements the command.
func (r deliveriesReplayCommand) Run(ctx context.Context, c *connection, t terminal) error {
	req, err := r.request(time.Now())
	if err != nil {
		return err
	}
	if !r.DryRun && !r.Yes && !interactive(t.in) {
		return &usageError{errors.New("nobody can be asked, as the standard input is no terminal: say --yes, or --dry-run to count only")}
	}
	cl, err := c.client(ctx, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	run := &replay{command: r, request: req, client: cl, connection: c, terminal: t, live: interactive(t.err)}
	counted, err := run.count(ctx)
	if err != nil {
		return err
	}
	if r.DryRun || counted.Matched == counted.Skipped {
		return run.tell(counted, "would be delivered again")
	}
	if !c.JSON {
		if err := run.tell(counted, "would be delivered again"); err != nil {
			return err
		}
	}
	if !r.Yes {
		if err := confirm(ctx, t, "Go ahead?", errNotReplayed); err != nil {
			return err
		}
	}
	done, err := run.all(ctx)
	if err != nil {
		return err
	}
	return run.tell(done, "are on their way again")
}

// request is the first request, which goes on where --resume says.
func (r deliveriesReplayCommand) request(now time.Time) (events.ReplayRequest, error) {
	filter, err := r.filter(now)
	if err != nil {
		return events.ReplayRequest{}, err
	}
	req := events.ReplayRequest{
		DeliveryFilter: filter, From: strings.ReplaceAll(r.From, "-", "_"), To: r.To, DeliveryID: r.Delivery, EventID: r.Event, ReplayID: events.NewID(),
	}
	switch {
	case r.Limit < 0:
		return req, &usageError{fmt.Errorf("--limit is %d; it must be 0, for all, or more", r.Limit)}
	case r.Rate < 0:
		return req, &usageError{fmt.Errorf("--rate is %d; it must be 0, for no bound, or more", r.Rate)}
	}
	if r.Resume != "" {
		at := strings.LastIndexByte(r.Resume, ':')
		if at < 1 { // the cursor may be empty: nothing was known to be done
			return req, &usageError{fmt.Errorf("--resume is %q; it must be ID:CURSOR, as the interrupted replay said", r.Resume)}
		}
		req.ReplayID, req.Cursor = r.Resume[:at], r.Resume[at+1:]
	}
	if err := req.Validate(); err != nil {
		return req, &usageError{errors.New(events.AsError(err).Message)}
	}
	return req, nil
}

// replay is one run of the command.
type replay struct {
	command    deliveriesReplayCommand
	request    events.ReplayRequest
	client     *client.Client
	connection *connection
	terminal   terminal
	live       bool // progress can be shown
}

// count counts what would be delivered.
func (p *replay) count(ctx context.Context) (sum events.ReplayReply, err error) {
	req := p.request
	req.DryRun = true
	for !sum.Done {
		if p.command.Limit > 0 {
			req.Limit = min(p.command.Limit-sum.Matched, maxListPage)
		}
		var page events.ReplayReply
		if err := ask(ctx, p.client, p.connection, events.OpDeliveriesReplay, req, &page); err != nil {
			p.clear()
			return sum, err
		}
		add(&sum, page)
		sum.Done, req.Cursor = p.finished(sum, page), page.Cursor
		p.show("counting: %s chosen of %s looked at", thousands(sum.Matched), thousands(sum.Scanned))
	}
	p.clear()
	return sum, nil
}

// all replays page by page. A page in work is waited for when ctx ends, so that it is known how to go on.
func (p *replay) all(ctx context.Context) (sum events.ReplayReply, err error) {
	req := p.request
	most := replayPage
	if p.command.Rate > 0 {
		most = min(most, p.command.Rate)
	}
	for !sum.Done {
		if ctx.Err() != nil {
			return sum, p.interrupted(req, sum, nil)
		}
		req.Limit = most
		if p.command.Limit > 0 {
			req.Limit = min(most, p.command.Limit-sum.Matched)
		}
		began := time.Now()
		var page events.ReplayReply
		if err := ask(context.WithoutCancel(ctx), p.client, p.connection, events.OpDeliveriesReplay, req, &page); err != nil {
			return sum, p.interrupted(req, sum, err)
		}
		add(&sum, page)
		sum.Done, req.Cursor = p.finished(sum, page), page.Cursor
		p.show("%s on their way, %s skipped, %s looked at", thousands(sum.Replayed), thousands(sum.Skipped), thousands(sum.Scanned))
		if p.command.Rate > 0 && !sum.Done {
			pause(ctx, time.Duration(page.Replayed)*time.Second/time.Duration(p.command.Rate)-time.Since(began))
		}
	}
	p.clear()
	return sum, nil
}

// add adds up.
func add(sum *events.ReplayReply, page events.ReplayReply) {
	sum.Matched += page.Matched
	sum.Replayed += page.Replayed
	sum.Skipped += page.Skipped
	sum.Scanned += page.Scanned
}

// finished reports whether there is no other page to ask for.
func (p *replay) finished(sum, page events.ReplayReply) bool {
	return page.Done || page.Cursor == "" || p.command.Limit > 0 && sum.Matched >= p.command.Limit
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// tell says what came of it, or would.
func (p *replay) tell(sum events.ReplayReply, does string) error {
	if p.connection.JSON {
		out := map[string]any{"matched": sum.Matched, "replayed": sum.Replayed, "skipped": sum.Skipped, "scanned": sum.Scanned}
		if sum.Replayed > 0 {
			out["replay_id"] = p.request.ReplayID
		}
		return printJSON(p.terminal, out)
	}
	what := "dead letters"
	if p.request.From == events.ReplayEvents {
		what = "events"
	}
	if p.request.EndpointID != "" {
		what += " of endpoint " + p.request.EndpointID
	}
	if p.request.To != "" {
		does += ", to endpoint " + p.request.To
	}
	line := thousands(sum.Matched-sum.Skipped) + " " + what + " " + does
	if sum.Skipped > 0 {
		line += fmt.Sprintf("; %s cannot be: their endpoint is gone or disabled, or they cannot be read", thousands(sum.Skipped))
	}
	_, err := fmt.Fprintln(p.terminal.out, line)
	return err
}

// show overwrites the line of progress, if somebody sees it.
func (p *replay) show(format string, args ...any) {
	if p.live && !p.connection.JSON {
		fmt.Fprintf(p.terminal.err, "\r\x1b[K"+format, args...)
	}
}

// clear removes the line of progress.
func (p *replay) clear() { p.show("") }

// interrupted says how to go on. The cause is nil if that was asked for.
func (p *replay) interrupted(req events.ReplayRequest, sum events.ReplayReply, cause error) error {
	p.clear()
	said := "interrupted"
	code := lifecycle.ExitKilled
	if cause != nil {
		said, code = cause.Error(), lifecycle.ExitCode(cause)
	}
	return &resumableError{fmt.Errorf("%s; %s are on their way. To go on:\n  %s", said, thousands(sum.Replayed), p.resume(req, sum)), cause, code}
}

// resume is the command line that goes on: with the same filter, whose times no longer depend on when it is called.
func (p *replay) resume(req events.ReplayRequest, sum events.ReplayReply) string {
	line := "mlsdmctl webhooks deliveries replay"
	flag := func(name, value string) {
		if value != "" {
			line += " --" + name + " " + quoted(value)
		}
	}
	at := func(name string, t time.Time) {
		if !t.IsZero() {
			flag(name, t.Format(time.RFC3339Nano))
		}
	}
	flag("endpoint", req.EndpointID)
	flag("type", req.EventType)
	flag("fault", req.Fault)
	at("since", req.Since)
	at("until", req.Until)
	flag("delivery", req.DeliveryID)
	flag("event", req.EventID)
	if req.From == events.ReplayEvents {
		flag("from", "events")
	}
	flag("to", req.To)
	if p.command.Limit > 0 {
		flag("limit", strconv.Itoa(p.command.Limit-sum.Matched))
	}
	if p.command.Rate > 0 {
		flag("rate", strconv.Itoa(p.command.Rate))
	}
	flag("resume", req.ReplayID+":"+req.Cursor)
	return line
}

// quoted quotes a value for a shell, if it has to be.
func quoted(value string) string {
	if strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/") == "" {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// resumableError ends a replay that can go on.
type resumableError struct {
	error

	cause error
	code  int
}

func (e *resumableError) Unwrap() error { return e.cause }

// ExitCode is the status that the process ends with.
func (e *resumableError) ExitCode() int { return e.code }

// usageError is an error of the command line.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// ExitCode is the status that the process ends with.
func (*usageError) ExitCode() int { return lifecycle.ExitUsage }

// errNotReplayed ends a replay that was not confirmed.
var errNotReplayed = errors.New("nothing was delivered: the question was not answered with y; --yes does not ask")

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
