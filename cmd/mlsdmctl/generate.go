package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// generateCommand asks for an answer and prints it as it comes.
type generateCommand struct {
	Prompt      []string `arg:"" optional:"" help:"The prompt; without one, all of the standard input."`
	Model       string   `short:"m" help:"Model as provider/model; without it the service's default."`
	System      string   `short:"s" help:"System message."`
	Temperature *float64 `help:"0 to 2."`
	MaxTokens   *int     `help:"Bound of the answer in tokens."`
	Cache       string   `enum:",on,off,refresh" default:"" help:"What to do with the cache of answers: on, off or refresh; without it, what is configured for the model."`
	NoStream    bool     `help:"Wait for the whole answer."`
	Quiet       bool     `short:"q" help:"Print the answer only."`
}

// Help shows examples.
func (generateCommand) Help() string {
	return "  mlsdmctl generate \"Why is the sky blue?\"\n  mlsdmctl generate -m openai/gpt-4o-mini -s \"Answer in one line.\" < question.txt\n" +
		"  mlsdmctl generate --json \"hello\"        one JSON chunk a line\n\nAfter the answer, which model it is of, what it used and how long it took is printed on the\nstandard error. Ctrl-C cancels the request to the provider."
}

// maxPrompt bounds what is read from the standard input.
const maxPrompt = 1 << 20

// Run implements the command.
func (g generateCommand) Run(ctx context.Context, c *connection, t terminal) error {
	req, err := g.request(t)
	if err != nil {
		return err
	}
	cl, err := c.client(ctx, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	told := g.told(c, t)
	if g.NoStream {
		resp, err := cl.Generate(ctx, req, g.options()...)
		switch {
		case err != nil:
			return hint(err)
		case c.JSON:
			return printJSON(t, resp)
		}
		for _, choice := range resp.Choices {
			if _, err := fmt.Fprintln(t.out, printable(choice.Message.Content.String())); err != nil {
				return err
			}
		}
		told.model, told.usage = resp.Model, resp.Usage
		return told.tell()
	}
	req.StreamOptions = &events.StreamOptions{IncludeUsage: true}
	for chunk, err := range cl.GenerateStream(ctx, req, g.options()...) {
		if err != nil {
			if !c.JSON && told.model != "" {
				fmt.Fprintln(t.out)
			}
			return hint(err)
		}
		told.chunk(chunk)
		if err := g.show(c, t, chunk); err != nil {
			return err
		}
	}
	if c.JSON {
		return nil
	}
	if _, err := fmt.Fprintln(t.out); err != nil {
		return err
	}
	return told.tell()
}

// options are those of the request beside its body.
func (g generateCommand) options() []client.GenerateOption {
	if g.Cache == "" {
		return nil
	}
	return []client.GenerateOption{client.Cache(g.Cache)}
}

// told gathers what is told after an answer.
func (g generateCommand) told(c *connection, t terminal) *afterword {
	return &afterword{to: t.err, quiet: g.Quiet || c.JSON, begun: time.Now()}
}

// request builds the request from the command line.
func (g generateCommand) request(t terminal) (events.ChatRequest, error) {
	prompt := strings.Join(g.Prompt, " ")
	if prompt == "" {
		text, err := io.ReadAll(io.LimitReader(t.in, maxPrompt+1))
		if err != nil {
			return events.ChatRequest{}, fmt.Errorf("the standard input: %w", err)
		}
		if len(text) > maxPrompt {
			return events.ChatRequest{}, fmt.Errorf("the standard input is larger than %d bytes", maxPrompt)
		}
		prompt = strings.TrimSpace(string(text))
	}
	if prompt == "" {
		return events.ChatRequest{}, errors.New("nothing to answer: give a prompt, or text on the standard input")
	}
	req := events.ChatRequest{Model: g.Model, Temperature: g.Temperature, MaxCompletionTokens: g.MaxTokens}
	if g.System == "" {
		req.Prompt = prompt
		return req, nil
	}
	req.Messages = []events.ChatMessage{
		{Role: events.RoleSystem, Content: events.TextContent(g.System)},
		{Role: events.RoleUser, Content: events.TextContent(prompt)},
	}
	return req, nil
}

// show prints one chunk.
func (generateCommand) show(c *connection, t terminal, chunk events.ChatChunk) error {
	if c.JSON {
		return printJSON(t, chunk)
	}
	for _, choice := range chunk.Choices {
		if _, err := io.WriteString(t.out, printable(choice.Delta.Content)); err != nil {
			return err
		}
	}
	return nil
}
