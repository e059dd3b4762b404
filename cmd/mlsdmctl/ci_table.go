package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Colours of a terminal, as the parameter of SGR.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	purple = "35"
	cyan   = "36"
	faint  = "2"
)

// isColourful reports whether colours are wanted on the standard output: it is a terminal, and nobody says otherwise
// (https://no-color.org).
func isColourful(t terminal) bool {
	if no, ok := t.lookup("NO_COLOR"); ok && no != "" {
		return false
	}
	kind, _ := t.lookup("TERM")
	return kind != "dumb" && interactive(t.out)
}

// paint colours a text, which must not hold control characters.
func paint(on bool, colour, text string) string {
	if !on || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// plain is what a terminal is shown of a text that others wrote: one line of at most n characters, without those that cannot be seen or
// that change how others are.
func plain(text string, n int) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, oneLine(text, n))
}

// maxCell is the longest text in a table, in characters.
const maxCell = 100

// cell is one of a table; an empty text is nothing.
type cell struct{ text, colour string }

// table prints lines under each other. A column in which nothing stands is left out.
type table struct {
	titles []string // empty: none
	rows   [][]cell
}

// row appends a line of texts, which may be anybody's.
func (tb *table) row(cells ...cell) { tb.rows = append(tb.rows, cells) }

// plainCells are cells without colours.
func plainCells(texts ...string) []cell {
	cells := make([]cell, len(texts))
	for i, text := range texts {
		cells[i] = cell{text: text}
	}
	return cells
}

// write prints the table.
func (tb *table) write(w io.Writer, colours bool) error {
	rows := make([][]cell, 0, len(tb.rows))
	var widths []int // 0 is a column without anything
	for _, cells := range tb.rows {
		row := make([]cell, len(cells))
		for i, c := range cells {
			row[i] = cell{text: plain(c.text, maxCell), colour: c.colour}
			if len(widths) <= i {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
		rows = append(rows, row)
	}
	var b strings.Builder
	if len(tb.titles) > 0 {
		titles := plainCells(tb.titles...)
		for i := range widths {
			if widths[i] > 0 {
				widths[i] = max(widths[i], utf8.RuneCountInString(tb.titles[i]))
			}
		}
		writeRow(&b, titles, widths, false)
	}
	for _, row := range rows {
		writeRow(&b, row, widths, colours)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeRow writes one line.
func writeRow(b *strings.Builder, row []cell, widths []int, colours bool) {
	gap := ""
	for i, c := range row {
		if i >= len(widths) || widths[i] == 0 {
			continue
		}
		text := orDash(c.text)
		b.WriteString(gap)
		b.WriteString(paint(colours, c.colour, text))
		gap = strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(text), 0)+2)
	}
	b.WriteString("\n")
}

// healthCell is health in a word, in its colour.
func healthCell(health string) cell {
	colour := faint
	switch health {
	case events.CIHealthy:
		colour = green
	case events.CIFailing:
		colour = yellow
	case events.CIDegradedHealth:
		colour = red
	case events.CIRecovering:
		colour = cyan
	case events.CIStaleHealth:
		colour = purple
	}
	return cell{text: health, colour: colour}
}

// span writes a length of time, as exactly as people want to know it.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd", int(d/day))
	}
}

// ago writes how long ago something was; empty when it is not known.
func ago(now, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return span(now.Sub(at)) + " ago"
}

// lasting writes a number of seconds; empty when it is not known.
func lasting(seconds float64) string {
	const longest = 1e9 // some thirty years
	if !(seconds > 0) || math.IsInf(seconds, 0) {
		return ""
	}
	d := time.Duration(min(seconds, longest) * float64(time.Second))
	switch {
	case d < time.Second:
		return "<1s"
	case d < time.Hour:
		return strings.Replace(d.Round(time.Second).String(), "m0s", "m", 1)
	default:
		return span(d)
	}
}

// commit is the short form of a commit's hash.
func commit(sha string) string {
	const short = 7
	if len(sha) > short && utf8.ValidString(sha[:short]) {
		return sha[:short]
	}
	return sha
}

// percent is a share, 0 to 1, as a percentage.
func percent(rate float64) string { return fmt.Sprintf("%.0f%%", 100*rate) }
