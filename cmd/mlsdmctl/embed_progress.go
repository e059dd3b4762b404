package main

import (
	"fmt"
	"strings"
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
	*display

	size  int64
	begun time.Time
	first vectorfile.State // when it began
}

// newProgress shows progress of an input of a size, which is 0 if it is not known.
func newProgress(t terminal, quiet bool, size int64, first vectorfile.State, now time.Time) *progress {
	return &progress{display: newDisplay(t, quiet), size: size, first: first, begun: now}
}

// told shows what is done so far.
func (p *progress) told(s vectorfile.State) {
	now := time.Now()
	switch {
	case !p.due(now):
	case p.live:
		p.draw(bar(s.Input.Bytes, p.size) + p.line(s, now))
	default:
		p.say("%s", p.line(s, now))
	}
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
