package journey

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Look is how a journey is drawn.
type Look struct {
	// Now is the time, in the zone in which times are shown.
	Now time.Time
	// Colour colours a text; nil leaves it as it is. The colours are the parameters of SGR: "31" is red.
	Colour func(colour, text string) string
	// Plain makes a text of others safe to show, in at most n characters; nil leaves it as it is.
	Plain func(text string, n int) string
}

// Longest texts, in characters.
const (
	maxLine   = 220
	maxDetail = 160
)

// Render draws a journey as a tree: the time of each thing, how long after the first that was, and what it was.
func Render(w io.Writer, j *Journey, l Look) error {
	if l.Colour == nil {
		l.Colour = func(_, text string) string { return text }
	}
	if l.Plain == nil {
		l.Plain = func(text string, _ int) string { return text }
	}
	p := &painter{look: l, begun: j.Begun}
	nodes := forest(j, l.Now)
	p.days = spansDays(nodes, j.Begun, l.Now.Location())
	for _, t := range j.Traces {
		p.line(strings.TrimSpace("trace " + t.ID + "  " + l.Plain(t.URL, maxLine)))
	}
	if !j.Begun.IsZero() {
		p.line("begun " + j.Begun.In(l.Now.Location()).Format("2006-01-02 15:04:05.000 -07:00"))
	}
	for _, note := range j.Notes {
		p.line(l.Colour(yellow, "note: "+l.Plain(note, maxLine)))
	}
	p.line("")
	for _, n := range nodes {
		p.node(n, "", "")
	}
	for _, s := range j.Searched {
		if s.Left != "" {
			p.line(l.Colour(faint, fmt.Sprintf("%s was not searched to its end: %s", s.Stream, l.Plain(s.Left, maxLine))))
		}
	}
	if !j.Ended {
		p.line(l.Colour(faint, "it has not ended yet; --watch follows it"))
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// Colours.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	faint  = "2"
)

// painter draws lines.
type painter struct {
	b     strings.Builder
	look  Look
	begun time.Time
	days  bool
}

// line draws a line as it is.
func (p *painter) line(text string) { p.b.WriteString(strings.TrimRight(text, " ") + "\n") }

// node draws a thing and what is below it. The first line begins with first, all that follow with rest.
func (p *painter) node(n *node, first, rest string) {
	colour := map[tone]string{neutral: "", good: green, bad: red, pending: yellow}[n.tone]
	text := p.look.Colour(colour, p.look.Plain(n.name, maxDetail))
	if n.says != "" {
		text += "  " + p.look.Plain(n.says, maxLine)
	}
	p.line(p.times(n.at) + first + text)
	bar := "   "
	if len(n.below) > 0 {
		bar = "│  "
	}
	for _, d := range n.detail {
		p.line(p.blank() + rest + bar + p.look.Colour(faint, p.look.Plain(d, maxDetail)))
	}
	for i, b := range n.below {
		if i == len(n.below)-1 {
			p.node(b, rest+"└─ ", rest+"   ")
		} else {
			p.node(b, rest+"├─ ", rest+"│  ")
		}
	}
}

// Widths of the columns of times.
const (
	clock    = "15:04:05.000"
	dayClock = "01-02 15:04:05.000"
	relative = 10
)

// layout is how absolute times are written.
func (p *painter) layout() string {
	if p.days {
		return dayClock
	}
	return clock
}

// times draws when something was.
func (p *painter) times(at time.Time) string {
	if at.IsZero() {
		return p.blank()
	}
	return p.look.Colour(faint, at.In(p.look.Now.Location()).Format(p.layout())) + fmt.Sprintf("%*s  ", relative, signed(at.Sub(p.begun)))
}

// blank is as wide as times.
func (p *painter) blank() string { return strings.Repeat(" ", len(p.layout())+relative+2) }

// spansDays reports whether not all is of one day.
func spansDays(nodes []*node, begun time.Time, zone *time.Location) bool {
	for _, n := range nodes {
		if !n.at.IsZero() && n.at.In(zone).Format(time.DateOnly) != begun.In(zone).Format(time.DateOnly) || spansDays(n.below, begun, zone) {
			return true
		}
	}
	return false
}

// signed writes how long after something else something was, or before.
func signed(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + length(-d)
	case d < time.Millisecond:
		return "+0"
	default:
		return "+" + length(d)
	}
}

// length writes a length of time in few characters.
func length(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.3fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 2*day:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d/day), int(d.Hours())%24)
	}
}

// ago writes how long it was from one time to another, to the second.
func ago(to, from time.Time) string {
	d := max(to.Sub(from), 0)
	if d < time.Minute {
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	return length(d)
}
