package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// ciLookEvery is how often health is asked for while it is watched.
const ciLookEvery = 2 * time.Second

// ciWatch shows health again and again. On a terminal it is drawn over and over; elsewhere it is printed whenever it is another.
type ciWatch struct {
	connection *connection
	terminal   terminal
	request    events.CIStatusRequest
	live       bool

	status events.CIStatus // as it was told last
	told   time.Time       // when; zero before
	drawn  string          // on the terminal
	last   []byte          // what was printed, for comparison
	failed string          // what was complained about last
}

// watchCI shows health until ctx ends, which is no error.
func watchCI(ctx context.Context, c *connection, t terminal, req events.CIStatusRequest) error {
	w := &ciWatch{connection: c, terminal: t, request: req, live: !c.JSON && interactive(t.out)}
	err := c.withClient(ctx, t, func(cl *client.Client) error {
		for ctx.Err() == nil {
			if err := w.look(ctx, cl); err != nil {
				return err
			}
			pause(ctx, ciLookEvery)
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil //nolint:nilerr // Ctrl-C is how it is meant to end
	}
	return err
}

// look asks once and shows what is new. An error is one of the first question, or of the output; later ones are shown, and pass.
func (w *ciWatch) look(ctx context.Context, cl *client.Client) error {
	var status events.CIStatus
	raw, failure := askCI(ctx, cl, w.connection, events.OpCIStatus, w.request, &status)
	now := time.Now()
	if ctx.Err() != nil || failure != nil && w.told.IsZero() {
		return failure // of what was ended, nobody hears
	}
	if failure == nil {
		w.status, w.told = status, now
	}
	if w.live {
		return w.draw(failure, now)
	}
	if failure != nil {
		w.complain(failure)
		return nil
	}
	w.failed = ""
	return w.print(raw, now)
}

// draw draws health anew, if it looks different. How long ago things were is part of that.
func (w *ciWatch) draw(failure error, now time.Time) error {
	var b bytes.Buffer
	if err := printCIStatus(&b, isColourful(w.terminal), w.request, w.status, now); err != nil {
		return err
	}
	if failure != nil {
		fmt.Fprintf(&b, "shown is what was told %s; now: %s\n", ago(now, w.told), plain(failure.Error(), maxSentence))
	}
	if b.String() == w.drawn {
		return nil
	}
	w.drawn = b.String()
	_, err := fmt.Fprint(w.terminal.out, "\x1b[H\x1b[2J"+w.drawn) // from the upper left corner, on an empty screen
	return err
}

// complain says on the standard error what is in the way, once.
func (w *ciWatch) complain(failure error) {
	if text := plain(failure.Error(), maxSentence); text != w.failed {
		w.failed = text
		fmt.Fprintf(w.terminal.err, "mlsdmctl: %s\n", text)
	}
}

// print prints health if it is another. That somebody polled is nothing new to a person.
func (w *ciWatch) print(raw json.RawMessage, now time.Time) error {
	what := []byte(raw)
	if !w.connection.JSON {
		news := w.status
		news.LastPollAt, news.Quotas = time.Time{}, nil
		text, err := json.Marshal(news)
		if err != nil {
			return err
		}
		what = text
	}
	if bytes.Equal(what, w.last) {
		return nil
	}
	first := w.last == nil
	w.last = what
	if w.connection.JSON {
		return printJSON(w.terminal, raw)
	}
	if !first {
		fmt.Fprintf(w.terminal.out, "\n%s\n", now.Local().Format(time.DateTime))
	}
	return printCIStatus(w.terminal.out, isColourful(w.terminal), w.request, w.status, now)
}
