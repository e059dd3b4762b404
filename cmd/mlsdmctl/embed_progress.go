package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
)

// How often progress is shown: on a terminal, and in a log.
const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
)

// progress shows how far the work on a file has come. It is safe for concurrent use.
type progress struct {
	to    io.Writer
	quiet bool
	live  bool // on a terminal
	size  int64
	begun time.Time
	first vectorfile.State // when it began

	mu    sync.Mutex
	shown time.Time
}

// newProgress shows progress of an input of a size, which is 0 if it is not known.
func newProgress(t terminal, quiet bool, size int64, first vectorfile.State, now time.Time) *progress {
	return &progress{to: t.err, quiet: quiet, live: interactive(t.err), size: size, first: first, begun: now, shown: now}
}

// told shows what is done so far.
func (p *progress) told(s vectorfile.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	every := lineEvery
	if p.live {
		every = barEvery
	}
	if p.quiet || now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	if p.live {
		fmt.Fprint(p.to, "\r\x1b[K"+p.bar(s)+p.line(s, now))
		return
	}
	fmt.Fprintln(p.to, p.line(s, now))
}

// say prints a line.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.quiet {
		p.clear()
		fmt.Fprintf(p.to, format+"\n", args...)
	}
}

// note prints a line for who pressed a key.
func (p *progress) note(line string) {
	if p.live {
		p.say("%s", line)
	}
}

// end takes the bar away.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.live && !p.quiet {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

// bar draws how much of the input is done.
func (p *progress) bar(s vectorfile.State) string {
	const width = 24
	if p.size <= 0 {
		return ""
	}
	full := int(min(s.Input.Bytes, p.size) * width / p.size)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "] "
}

// line says how much is done, how fast it goes, and how long it takes still.
func (p *progress) line(s vectorfile.State, now time.Time) string {
	took := max(now.Sub(p.begun).Seconds(), 1e-3)
	parts := make([]string, 0, 6)
	if p.size > 0 {
		parts = append(parts, fmt.Sprintf("%d%%", min(s.Input.Bytes, p.size)*100/p.size))
	}
	parts = append(parts, thousands(s.Rows)+" texts", thousands(int(float64(s.Rows-p.first.Rows)/took))+" a second", thousands(s.Tokens)+" tokens")
	if s.Failed > 0 {
		parts = append(parts, thousands(s.Failed)+" failed")
	}
	if done := float64(s.Input.Bytes - p.first.Input.Bytes); p.size > 0 && done > 0 {
		left := time.Duration(float64(max(p.size-s.Input.Bytes, 0)) / done * took * float64(time.Second))
		parts = append(parts, left.Round(time.Second).String()+" left")
	}
	return strings.Join(parts, " · ")
}
