package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// afterword is the line behind an answer: which model it is of, what it used and how long it took.
type afterword struct {
	to    io.Writer
	quiet bool
	begun time.Time
	first time.Duration // until the first text of a stream
	model string
	usage *events.ChatUsage
}

// chunk takes note of a chunk.
func (a *afterword) chunk(chunk events.ChatChunk) {
	a.model = chunk.Model
	if chunk.Usage != nil {
		a.usage = chunk.Usage
	}
	for _, choice := range chunk.Choices {
		if a.first == 0 && choice.Delta.Content != "" {
			a.first = time.Since(a.begun)
		}
	}
}

// tell prints the line.
func (a *afterword) tell() error {
	if a.quiet {
		return nil
	}
	parts := []string{printable(a.model)}
	if u := a.usage; u != nil {
		tokens := fmt.Sprintf("%d + %d tokens", u.PromptTokens, u.CompletionTokens)
		if d := u.PromptTokensDetails; d != nil && d.CachedTokens > 0 {
			tokens += fmt.Sprintf(" (%d from the provider's cache)", d.CachedTokens)
		}
		parts = append(parts, tokens)
		switch {
		case u.Cached:
			parts = append(parts, "from the cache, nothing was bought")
		case u.Cost != nil:
			parts = append(parts, fmt.Sprintf("cost %.6g", *u.Cost))
		}
	}
	took := time.Since(a.begun).Round(time.Millisecond).String()
	if a.first > 0 {
		took += ", the first text after " + a.first.Round(time.Millisecond).String()
	}
	_, err := fmt.Fprintln(a.to, strings.Join(append(parts, took), " · "))
	return err
}
