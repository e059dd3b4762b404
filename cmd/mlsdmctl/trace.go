package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/journey"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
)

// traceCommand shows the whole journey of one message.
type traceCommand struct {
	ID        string        `arg:"" name:"id" help:"Id of a durable request, an event or a delivery, a trace id, or a traceparent; or what events are about."`
	Since     string        `placeholder:"TIME" help:"Search what was stored from then on: a time like 2026-01-31T12:00:00Z, or how long ago, like 7d. Without it 24h, or an hour before the id was made, where it tells."`
	Limit     int           `default:"1000000" help:"How many messages of each stream to look at, at most."`
	Watch     bool          `short:"w" help:"Follow it until it has ended."`
	Interval  time.Duration `default:"1s" help:"How often to look, with --watch."`
	JaegerURL string        `name:"jaeger-url" env:"MLSDM_TRACE_URL" placeholder:"URL" help:"Where a trace is shown, with {trace_id} in it, such as http://localhost:16686/trace/{trace_id}; the link is shown too."`
}

// Help says what is shown, with examples.
func (traceCommand) Help() string {
	return "The tree is read from the streams, so no trace backend is needed: the durable request (how long it waits, its result or error), the events\n" +
		"that came of it, each delivery of them with every attempt, when the next is due, dead letters and replays. What belongs together is found\n" +
		"by request id, event id, delivery id and trace id. On a closed bus the administrator sees all of it; an application sees events, and\n" +
		"deliveries. It exits with 1 if nothing is found.\n\n" +
		"  mlsdmctl trace order-1\n" +
		"  mlsdmctl trace order-1 --watch\n" +
		"  mlsdmctl trace 4bf92f3577b34da6a3ce929d0e0e4736 --since 7d --jaeger-url 'http://localhost:16686/trace/{trace_id}'\n" +
		"  mlsdmctl trace 0198c0de-0000-7000-8000-000000000000 --json | jq '.events[].deliveries[].attempts[].status'"
}

// traceInterval is how often may be looked at most.
const traceInterval = 100 * time.Millisecond

// options reads the flags.
func (tr traceCommand) options(now time.Time) (journey.Options, error) {
	if tr.Limit < 1 {
		return journey.Options{}, &usageError{fmt.Errorf("--limit is %d; it must be 1 or more", tr.Limit)}
	}
	if tr.Interval < traceInterval {
		return journey.Options{}, &usageError{fmt.Errorf("--interval is %s; it must be %s or more", tr.Interval, traceInterval)}
	}
	if err := journey.CheckLink(tr.JaegerURL); err != nil {
		return journey.Options{}, &usageError{err}
	}
	from, err := parseWhen("since", inHours(tr.Since), now)
	return journey.Options{From: from, Limit: tr.Limit, Now: now, Link: tr.JaegerURL}, err
}

// inHours writes a number of days, such as 7d, as Go's durations are written; anything else stays as it is.
func inHours(text string) string {
	var days int
	var rest string
	if n, _ := fmt.Sscanf(text, "%d%s", &days, &rest); n == 2 && rest == "d" && days >= 0 && days <= 3650 {
		return fmt.Sprintf("%dh", 24*days)
	}
	return text
}

// Run implements the command.
func (tr traceCommand) Run(ctx context.Context, c *connection, t terminal) error {
	o, err := tr.options(time.Now())
	if err != nil {
		return err
	}
	if journey.Normalize(tr.ID) == "" {
		return &usageError{errors.New("the id is empty")}
	}
	known, err := c.resolve(t)
	if err != nil {
		return err
	}
	if known.NKey != "" && known.Caller != "" && known.Caller != permissions.Admin && !slices.Contains(permissions.Services(), known.Caller) {
		o.Own = known.Caller
	}
	b, err := c.bus(ctx, t)
	if err != nil {
		return err
	}
	defer b.Close(ctx) //nolint:errcheck // nothing was published: there is nothing to lose
	f := &tracing{command: tr, connection: c, terminal: t, bus: b, options: o, live: !c.JSON && interactive(t.out)}
	if !tr.Watch {
		j, err := f.find(ctx)
		if err != nil {
			return hint(err)
		}
		if j.Empty() {
			return journey.NotFound(j)
		}
		return f.show(j)
	}
	return f.watch(ctx)
}

// tracing is one run of the command.
type tracing struct {
	command    traceCommand
	connection *connection
	terminal   terminal
	bus        *bus.Bus
	options    journey.Options
	live       bool   // drawn over and over
	shown      string // last
}

// find searches once, and shows on a terminal how far that is.
func (f *tracing) find(ctx context.Context) (*journey.Journey, error) {
	line := newDisplay(f.terminal, f.connection.JSON || f.shown != "")
	defer line.end()
	o := f.options
	o.Now = time.Now()
	o.Progress = func(stream string, messages int) {
		const often = 1 << 10
		if messages%often == 0 && line.live && line.due(time.Now()) {
			line.draw("searching " + stream + ": " + thousands(messages) + " messages")
		}
	}
	return journey.Find(ctx, f.bus, f.command.ID, o)
}

// render draws a journey.
func (f *tracing) render(j *journey.Journey, now time.Time) (string, error) {
	var b bytes.Buffer
	colours := isColourful(f.terminal)
	err := journey.Render(&b, j, journey.Look{
		Now: now, Plain: plain,
		Colour: func(colour, text string) string { return paint(colours, colour, text) },
	})
	return b.String(), err
}

// show prints a journey.
func (f *tracing) show(j *journey.Journey) error {
	if f.connection.JSON {
		return printJSON(f.terminal, j)
	}
	text, err := f.render(j, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(f.terminal.out, text)
	return err
}

// quiet is how often nothing new must be seen of a journey that has ended: records of attempts come a moment after them, and events a
// moment after what they tell of.
const quiet = 3

// watch shows a journey again and again until it has ended, or ctx has, which is no error.
func (f *tracing) watch(ctx context.Context) error {
	calm, last, waiting := 0, "", false
	for {
		j, err := f.find(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // Ctrl-C is how it may end
		case err != nil:
			return hint(err)
		case j.Empty():
			if !waiting && !f.connection.JSON {
				fmt.Fprintf(f.terminal.err, "nothing has to do with %s yet; waiting, Ctrl-C ends it\n", plain(j.Query, maxCell))
			}
			waiting = true
		default:
			news, err := f.news(j)
			if err != nil {
				return err
			}
			if news == last {
				calm++
			} else {
				calm = 0
			}
			if err := f.follow(j, news != last); err != nil {
				return err
			}
			last = news
			if j.Ended && calm >= quiet {
				return nil
			}
			f.options.From = cmp.Or(f.options.From, j.Begun.Add(-time.Minute)) // what came before was looked through
		}
		pause(ctx, f.command.Interval)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // as above
		}
	}
}

// news is all of a journey that is no news merely because time passes.
func (f *tracing) news(j *journey.Journey) (string, error) {
	still := *j
	still.Searched = nil
	var b bytes.Buffer
	err := journey.Render(&b, &still, journey.Look{Now: j.Begun.UTC()})
	return b.String(), err
}

// follow shows a journey that may be another than before.
func (f *tracing) follow(j *journey.Journey, news bool) error {
	if !f.live {
		if !news {
			return nil
		}
		if f.shown != "" && !f.connection.JSON {
			fmt.Fprintln(f.terminal.out)
		}
		f.shown = "something"
		return f.show(j)
	}
	text, err := f.render(j, time.Now())
	if err != nil || text == f.shown {
		return err
	}
	f.shown = text
	_, err = fmt.Fprint(f.terminal.out, "\x1b[H\x1b[2J"+text) // from the upper left corner, on an empty screen
	return err
}
