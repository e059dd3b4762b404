package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// display is a line at the terminal that is written over again and again. It is safe for concurrent use.
type display struct {
	to    io.Writer
	quiet bool
	live  bool // on a terminal

	mu    sync.Mutex
	shown time.Time
}

// newDisplay makes one at the standard error.
func newDisplay(t terminal, quiet bool) *display {
	return &display{to: t.err, quiet: quiet, live: interactive(t.err), shown: time.Now()}
}

// draw writes the line anew.
func (d *display) draw(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live && !d.quiet {
		fmt.Fprint(d.to, "\r\x1b[K"+line)
	}
}

// say prints a line for good.
func (d *display) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.quiet {
		d.clear()
		fmt.Fprintf(d.to, format+"\n", args...)
	}
}

// note prints a line for who pressed a key.
func (d *display) note(line string) {
	if d.live {
		d.say("%s", line)
	}
}

// end takes the line away.
func (d *display) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
}

// clear takes the line away.
func (d *display) clear() {
	if d.live && !d.quiet {
		fmt.Fprint(d.to, "\r\x1b[K")
	}
}

// due reports whether something is to be shown again: often on a terminal, and now and then in a log.
func (d *display) due(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	every := lineEvery
	if d.live {
		every = barEvery
	}
	if d.quiet || now.Sub(d.shown) < every {
		return false
	}
	d.shown = now
	return true
}

// bar draws how much of a whole is done; nothing if that is not known.
func bar(done, whole int64) string {
	const width = 24
	if whole <= 0 {
		return ""
	}
	full := int(min(max(done, 0), whole) * width / whole)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "] "
}
