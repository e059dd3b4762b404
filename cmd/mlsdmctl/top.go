package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/fullscreen"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/top"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// topCommand shows how an installation does, live.
type topCommand struct {
	Interval time.Duration `default:"2s" help:"How often to look, at least 500ms; rates are of that time."`
	Once     bool          `help:"Look twice, an interval apart, print it once, and end."`
	Sort     string        `enum:"name,rate,errors,time" default:"name" help:"Order of the lines: name, rate, errors, or time (how long it takes, waits or is so)."`
	All      bool          `help:"Show also what nothing happens with."`
}

// leastInterval is how often may be looked at most.
const leastInterval = 500 * time.Millisecond

// Help says what is shown, with examples.
func (topCommand) Help() string {
	return "Services and their replicas; operations with their rates, mean time and errors; streams; consumers with what is pending, unacked and\n" +
		"redelivered, and for how long the oldest waits; webhook endpoints with attempts a second by what came of them. Rates are differences of two\n" +
		"looks. On a closed bus the administrator sees all of it. With --json it is an object a line, for each look.\n\n" +
		"Keys: n r e t sort by name, rate, errors, time; 1 to 5 show one section, 0 all; a shows also what nothing happens with; q ends it.\n\n" +
		"  mlsdmctl top\n" +
		"  mlsdmctl top --interval 1s --sort rate\n" +
		"  mlsdmctl top --once --json | jq '.consumers[] | select(.oldest_seconds > 60)'"
}

// Run implements the command.
func (o topCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if o.Interval < leastInterval {
		return &usageError{fmt.Errorf("--interval is %s; it must be %s or more", o.Interval, leastInterval)}
	}
	known, err := c.resolve(t)
	if err != nil {
		return err
	}
	b, err := c.bus(ctx, t)
	if err != nil {
		return err
	}
	defer b.Close(ctx) //nolint:errcheck // nothing was published: there is nothing to lose
	w := &topWatch{command: o, connection: c, terminal: t, bus: b, caller: known.Caller, view: top.View{Order: o.Sort, All: o.All, Plain: plain}}
	if isColourful(t) {
		w.view.Colour = func(colour, text string) string { return paint(colour != "", colour, text) }
	}
	in, canType := t.in.(*os.File)
	out, canDraw := t.out.(*os.File)
	if c.JSON || o.Once || !canType || !canDraw || !interactive(out) {
		return w.print(ctx)
	}
	page, err := fullscreen.Open(in, out)
	if errors.Is(err, fullscreen.ErrNoTerminal) {
		return w.print(ctx)
	}
	if err != nil {
		return err
	}
	return errors.Join(w.draw(ctx, page), page.Close())
}

// topWatch is one run of the command.
type topWatch struct {
	command    topCommand
	connection *connection
	terminal   terminal
	bus        *bus.Bus
	caller     string
	view       top.View

	last   *top.Sample
	report *top.Report
}

// look takes a sample and compares it with the one before. A deadline lets a command go on whose server is away for a moment.
func (w *topWatch) look(ctx context.Context) error {
	const most = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	sample, err := top.Take(ctx, w.bus, w.caller, w.last)
	if err != nil {
		return err
	}
	w.report, w.last = top.Compare(w.last, sample), sample
	return nil
}

// print prints reports for machines, and where nothing can be drawn: one, or one after each interval until ctx ends, which is no error.
func (w *topWatch) print(ctx context.Context) error {
	for first := true; ; first = false {
		if !first {
			pause(ctx, w.command.Interval)
		}
		if err := w.look(ctx); err != nil {
			if ctx.Err() != nil && !w.command.Once {
				return nil // Ctrl-C is how it is meant to end
			}
			return hint(err)
		}
		if first {
			continue // there are no rates yet
		}
		if err := w.printReport(); err != nil || w.command.Once {
			return err
		}
	}
}

// printReport prints one report.
func (w *topWatch) printReport() error {
	if w.connection.JSON {
		return printJSON(w.terminal, w.report)
	}
	for _, line := range w.view.Lines(w.report) {
		if _, err := fmt.Fprintln(w.terminal.out, line); err != nil {
			return err
		}
	}
	if !w.command.Once {
		_, err := fmt.Fprintln(w.terminal.out)
		return err
	}
	return nil
}

// resizeEvery is how often the size of the terminal is looked at.
const resizeEvery = 200 * time.Millisecond

// draw shows reports on a terminal until q is typed or ctx ends, which is no error.
func (w *topWatch) draw(ctx context.Context, page *fullscreen.Screen) error {
	if err := page.Draw([]string{"looking at " + w.bus.ServerURL() + " …"}); err != nil {
		return err
	}
	looking, stop := context.WithCancel(ctx)
	looks := make(chan error)
	turn := make(chan struct{}) // the report is not touched while it is drawn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for looking.Err() == nil {
			err := w.look(looking)
			select {
			case looks <- err:
				<-turn
			case <-looking.Done():
			}
			pause(looking, w.command.Interval)
		}
	}()
	defer func() {
		stop()
		<-done
	}()
	resize := time.NewTicker(resizeEvery)
	defer resize.Stop()
	var trouble string
	var report *top.Report
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-looks:
			if err != nil && ctx.Err() == nil {
				trouble = plain("no answer: "+hint(err).Error(), maxSentence)
			} else {
				trouble, report = "", w.report
			}
			turn <- struct{}{}
		case key := <-page.Keys():
			if w.typed(key) {
				return nil
			}
		case <-resize.C:
		}
		if report != nil || trouble != "" {
			if err := page.Draw(w.page(page, report, trouble)); err != nil {
				return err
			}
		}
	}
}

// page makes the lines of a terminal: what is in the way now, the last report, and what can be typed.
func (w *topWatch) page(page *fullscreen.Screen, report *top.Report, trouble string) []string {
	_, rows := page.Size()
	rows = max(rows-1, 0)
	var lines []string
	if trouble != "" {
		lines = append(lines, paint(w.view.Colour != nil, red, trouble))
	}
	if report != nil {
		view := w.view
		view.Rows = max(rows-len(lines), 1)
		lines = append(lines, view.Lines(report)...)
	}
	lines = append(lines, make([]string, max(rows-len(lines), 0))...)
	return append(lines[:rows], paint(w.view.Colour != nil, faint, "q ends  n r e t sorts by "+w.view.Order+"  1-5 one section, 0 all  a all lines"))
}

// typed does what a key asks for, and reports whether that is to end.
func (w *topWatch) typed(key byte) bool {
	const eot = 4 // Ctrl-D
	switch key {
	case 'q', 'Q', eot:
		return true
	case 'n':
		w.view.Order = top.ByName
	case 'r':
		w.view.Order = top.ByRate
	case 'e':
		w.view.Order = top.ByErrors
	case 't':
		w.view.Order = top.ByTime
	case 'a':
		w.view.All = !w.view.All
	case '0', '1', '2', '3', '4', '5':
		w.view.Only = int(key - '0')
	}
	return false
}
