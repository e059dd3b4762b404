package top

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Orders of the lines.
const (
	ByName   = "name"
	ByRate   = "rate"
	ByErrors = "errors"
	ByTime   = "time" // how long it takes, or waits
)

// Orders are all of them.
func Orders() []string { return []string{ByName, ByRate, ByErrors, ByTime} }

// View is how a report is shown.
type View struct {
	// Order is the order of the lines.
	Order string
	// Only is the one section that is shown, 1 to [Sections]; 0 is all of them.
	Only int
	// Rows is how many lines there is room for; 0 is no bound.
	Rows int
	// All shows also what nothing happens with.
	All bool
	// Colour colours a text; nil leaves it as it is. The colours are the parameters of SGR.
	Colour func(colour, text string) string
	// Plain makes a text of others safe to show, in at most n characters; nil leaves it as it is.
	Plain func(text string, n int) string
}

// Sections is how many there are.
const Sections = 5

// Colours.
const (
	red    = "31"
	yellow = "33"
	faint  = "2"
	strong = "1"
)

// section is a table with a title.
type section struct {
	titles []string
	rows   [][]string
	tones  []string // a row's colour
}

// add appends a row.
func (s *section) add(tone string, cells ...string) {
	s.rows, s.tones = append(s.rows, cells), append(s.tones, tone)
}

// Lines shows a report.
func (v View) Lines(r *Report) []string {
	if v.Colour == nil {
		v.Colour = func(_, text string) string { return text }
	}
	if v.Plain == nil {
		v.Plain = func(text string, _ int) string { return text }
	}
	lines := []string{v.headline(r)}
	for _, note := range r.Notes {
		lines = append(lines, v.Colour(yellow, v.Plain(note, longest)))
	}
	var shown []*section
	for i, s := range []*section{v.services(r), v.operations(r), v.streams(r), v.consumers(r), v.endpoints(r)} {
		if len(s.rows) > 0 && (v.Only == 0 || v.Only == i+1) {
			shown = append(shown, s)
		}
	}
	room := v.share(shown, v.Rows-len(lines))
	for i, s := range shown {
		if room[i] != 0 {
			lines = append(append(lines, ""), v.draw(s, room[i])...)
		}
	}
	return lines
}

// longest is how long a text of others may be, in characters.
const longest = 100

// headline says when, and how much there is.
func (v View) headline(r *Report) string {
	line := r.At.Local().Format("15:04:05")
	if r.Idle() {
		return line + "  no service answers: `mlsdmctl up` starts all of them, `mlsdmctl doctor` says what is wrong"
	}
	rate, failed := 0.0, 0.0
	for _, o := range r.Operations {
		rate, failed = rate+o.PerSecond, failed+o.ErrorsPerSecond
	}
	line += fmt.Sprintf("  %d replicas, %s requests/s, %s errors/s", len(r.Services), perSecond(rate), perSecond(failed))
	if r.Seconds == 0 {
		line += ", measuring"
	}
	return v.Colour(strong, line)
}

// share divides the rows among sections: each gets what it needs, and where there are too few, the long ones give. A section without room
// for a title and two lines is left out; -1 is no bound.
func (v View) share(sections []*section, rows int) []int {
	room := make([]int, len(sections))
	if v.Rows <= 0 {
		for i := range room {
			room[i] = -1
		}
		return room
	}
	const overhead, least = 2, 1 // an empty line and the titles
	for i, s := range sections {
		if cost := overhead + min(len(s.rows), least); rows >= cost {
			room[i] = min(len(s.rows), least)
			rows -= cost
		}
	}
	for given := true; given && rows > 0; {
		given = false
		for i, s := range sections {
			if room[i] > 0 && room[i] < len(s.rows) && rows > 0 {
				room[i]++
				rows--
				given = true
			}
		}
	}
	return room
}

// draw makes the lines of a section, of which at most some rows are shown.
func (v View) draw(s *section, rows int) []string {
	titles, widths := make([]string, len(s.titles)), make([]int, len(s.titles))
	for i, title := range s.titles {
		titles[i] = strings.TrimPrefix(title, right)
		widths[i] = len(titles[i])
	}
	for _, row := range s.rows {
		for i, text := range row {
			row[i] = v.Plain(text, longest)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	line := func(cells []string) string {
		var b strings.Builder
		for i, text := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if numeric(s.titles[i]) {
				text, pad = pad+text, ""
			}
			b.WriteString(text + pad + "  ")
		}
		return strings.TrimRight(b.String(), " ")
	}
	shown := s.rows
	if rows > 0 && rows < len(shown) {
		shown = shown[:rows]
	}
	head := v.Colour(faint, line(titles))
	if left := len(s.rows) - len(shown); left > 0 {
		head += v.Colour(faint, fmt.Sprintf("  (%d more)", left))
	}
	lines := []string{head}
	for i, row := range shown {
		lines = append(lines, v.Colour(s.tones[i], line(row)))
	}
	return lines
}

// right marks a column of numbers.
const right = ">"

func numeric(title string) bool { return strings.HasPrefix(title, right) }

// services is the section of the replicas.
func (v View) services(r *Report) *section {
	s := &section{titles: []string{"SERVICE", "REPLICA", "VERSION", ">UP", ">REQ/S", ">ERR/S"}}
	list := slices.Clone(r.Services)
	arrange(list, v.Order, func(e Service) (float64, float64, float64) {
		return e.PerSecond, e.ErrorsPerSecond, r.At.Sub(e.Started).Seconds()
	})
	for _, e := range list {
		s.add(alarm(e.ErrorsPerSecond > 0), e.Name, e.Replica[:min(len(e.Replica), 8)], e.Version, age(r.At.Sub(e.Started)), perSecond(e.PerSecond), perSecond(e.ErrorsPerSecond))
	}
	return s
}

// operations is the section of what is asked.
func (v View) operations(r *Report) *section {
	s := &section{titles: []string{"OPERATION", ">REQ/S", ">MEAN MS", ">ERR/S", ">REQUESTS", ">ERRORS", "LAST ERROR"}}
	var list []Operation
	for _, o := range r.Operations {
		if v.All || o.Requests > 0 {
			list = append(list, o)
		}
	}
	arrange(list, v.Order, func(o Operation) (float64, float64, float64) {
		return o.PerSecond, o.ErrorsPerSecond, o.MeanMS
	})
	for _, o := range list {
		s.add(alarm(o.ErrorsPerSecond > 0), o.Service+" "+o.Name, perSecond(o.PerSecond), fmt.Sprintf("%.1f", o.MeanMS), perSecond(o.ErrorsPerSecond),
			strconv.FormatUint(o.Requests, 10), strconv.FormatUint(o.Errors, 10), o.LastError)
	}
	return s
}

// streams is the section of the streams.
func (v View) streams(r *Report) *section {
	s := &section{titles: []string{"STREAM", ">MESSAGES", ">SIZE", ">STORED/S", ">OLDEST"}}
	var list []Stream
	for _, e := range r.Streams {
		if v.All || e.Messages > 0 || e.PerSecond > 0 {
			list = append(list, e)
		}
	}
	arrange(list, v.Order, func(e Stream) (float64, float64, float64) {
		return e.PerSecond, 0, sinceSeconds(r.At, e.Oldest)
	})
	for _, e := range list {
		oldest := "-"
		if !e.Oldest.IsZero() {
			oldest = age(r.At.Sub(e.Oldest))
		}
		s.add("", e.Name, strconv.FormatUint(e.Messages, 10), size(e.Bytes), perSecond(e.PerSecond), oldest)
	}
	return s
}

// consumers is the section of the consumers.
func (v View) consumers(r *Report) *section {
	const slow = 60 // seconds
	s := &section{titles: []string{"CONSUMER", ">PENDING", ">UNACKED", ">REDELIVERED", ">DONE/S", ">OLDEST"}}
	var list []Consumer
	for _, c := range r.Consumers {
		if v.All || c.Pending > 0 || c.Unacked > 0 || c.PerSecond > 0 || c.Service != events.ServiceCIWatch {
			list = append(list, c)
		}
	}
	arrange(list, v.Order, func(c Consumer) (float64, float64, float64) {
		return c.PerSecond, float64(c.Redelivered), c.OldestSeconds
	})
	for _, c := range list {
		oldest := "-"
		if c.OldestSeconds > 0 {
			oldest = age(time.Duration(c.OldestSeconds * float64(time.Second)))
		}
		s.add(alarm(c.OldestSeconds > slow), c.Name, strconv.FormatUint(c.Pending, 10), strconv.Itoa(c.Unacked), strconv.Itoa(c.Redelivered), perSecond(c.PerSecond), oldest)
	}
	return s
}

// endpoints is the section of the webhook endpoints.
func (v View) endpoints(r *Report) *section {
	s := &section{titles: []string{"ENDPOINT", "STATE", ">DELIVERED/S", ">RETRIED/S", ">DEAD/S", "REASON"}}
	list := slices.Clone(r.Endpoints)
	arrange(list, v.Order, func(e Endpoint) (float64, float64, float64) {
		return e.Delivered + e.Retried + e.Dead, e.Retried + e.Dead, sinceSeconds(r.At, e.Since)
	})
	for _, e := range list {
		tone := alarm(e.State == events.EndpointFailing || e.Retried+e.Dead > 0)
		if e.State == events.EndpointDisabledState {
			tone = red
		}
		s.add(tone, e.ID, e.State, perSecond(e.Delivered), perSecond(e.Retried), perSecond(e.Dead), e.Reason)
	}
	return s
}

// arrange puts lines in an order, the greatest first; what is equal stays in that of the names.
func arrange[T any](list []T, order string, of func(T) (rate, failed, lasts float64)) {
	key := func(x T) float64 {
		rate, failed, lasts := of(x)
		switch order {
		case ByRate:
			return rate
		case ByErrors:
			return failed
		case ByTime:
			return lasts
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(key(b), key(a)) })
}

// alarm is the colour of what somebody should look at, if there is reason for it.
func alarm(reason bool) string {
	if reason {
		return yellow
	}
	return ""
}
