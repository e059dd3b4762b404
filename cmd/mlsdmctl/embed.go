package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// embedCommand asks for embeddings.
type embedCommand struct {
	Texts      []string `arg:"" optional:"" name:"text" help:"Texts; without any, each line of the standard input is one."`
	Model      string   `short:"m" help:"Model as provider/model; without it the service's default."`
	Dimensions int      `help:"Length of the vectors, for models that can shorten them."`
}

// Help shows examples.
func (embedCommand) Help() string {
	return "  mlsdmctl embed \"the cat sat on the mat\"\n  mlsdmctl embed --model openai/text-embedding-3-small --json < lines.txt"
}

// maxLine bounds one line of the standard input.
const maxLine = 1 << 20

// Run implements the command.
func (e embedCommand) Run(ctx context.Context, c *connection, t terminal) error {
	texts := e.Texts
	if len(texts) == 0 {
		var err error
		if texts, err = readLines(t); err != nil {
			return err
		}
	}
	cl, err := c.client(ctx, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	resp, err := cl.Embed(ctx, events.EmbeddingsRequest{Model: e.Model, Input: texts, Dimensions: e.Dimensions})
	if err != nil {
		return hint(err)
	}
	if c.JSON {
		return printJSON(t, resp)
	}
	for i, d := range resp.Data {
		values := d.Embedding.Values
		shown := make([]string, 0, 4)
		for _, v := range values[:min(4, len(values))] {
			shown = append(shown, fmt.Sprintf("%+.4f", v))
		}
		if _, err := fmt.Fprintf(t.out, "[%s … %d values]  %s\n", strings.Join(shown, " "), len(values), printable(oneLine(texts[i], 60))); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(t.out, "%s, %d tokens; --json prints whole vectors\n", resp.Model, resp.Usage.TotalTokens)
	return err
}

// readLines reads the texts from the standard input, one a line; empty lines are passed over.
func readLines(t terminal) ([]string, error) {
	var lines []string
	scanner := bufio.NewScanner(t.in)
	scanner.Buffer(make([]byte, 64<<10), maxLine)
	for scanner.Scan() {
		if line := strings.TrimRight(scanner.Text(), "\r"); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
		if len(lines) > events.MaxInputs {
			return nil, fmt.Errorf("the standard input has more than %d lines; split it into several requests", events.MaxInputs)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("the standard input: %w", err)
	}
	if len(lines) == 0 {
		return nil, errors.New("nothing to embed: give texts, or lines on the standard input")
	}
	return lines, nil
}

// oneLine shortens a text for display.
func oneLine(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
