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
	Texts           []string `arg:"" optional:"" name:"text" help:"Texts; without any, each line of the standard input is one."`
	Model           string   `short:"m" help:"Model as provider/model; without it the service's default."`
	Dimensions      int      `help:"Length of the vectors, for models that can shorten them."`
	InputType       string   `enum:",query,document,classification,clustering" default:"" help:"What the texts are for, to models that tell it apart: query, document, classification or clustering."`
	Truncate        string   `enum:",end,none" default:"" help:"What becomes of a text that is longer than the model reads: end drops its end and says so, none makes it an error. Without it end."`
	AllowOtherSpace bool     `help:"Take vectors of another model, which cannot be compared with those of this one, if it cannot answer."`

	embedFile    `embed:"" group:"Large files"`
	embedDurable `embed:"" group:"Durable requests"`
}

// embedFile is what concerns files.
type embedFile struct {
	File        string `short:"f" placeholder:"FILE" help:"Embed the texts of a file: a text a line, or JSON lines if its name ends in .jsonl; - is the standard input."`
	InputFormat string `enum:",text,jsonl" default:"" help:"Format of --file, if its name does not say it: text or jsonl."`
	Field       string `placeholder:"NAME" help:"Field of each JSON object that holds the text; without it \"text\"."`
	IDField     string `name:"id-field" placeholder:"NAME" help:"Field that names the text: it is copied to --out, if that is jsonl or parquet."`
	Batch       int    `default:"256" placeholder:"N" help:"Texts a request, 1 to 2048. They are fewer if the vectors are too long for one message."`
	Parallel    int    `default:"4" placeholder:"N" help:"Requests at the same time, 1 to 64."`

	outFile `embed:""`
}

// outFile is where vectors are written to.
type outFile struct {
	Out        string `short:"o" placeholder:"FILE" help:"Where the vectors go: .npy, .jsonl or .parquet."`
	Format     string `enum:",npy,jsonl,parquet" default:"" help:"Format of --out, if its name does not say it: npy, jsonl or parquet."`
	SkipErrors bool   `help:"End well though there are texts without a vector."`
	Overwrite  bool   `help:"Begin anew, and replace what is there."`
	Quiet      bool   `short:"q" help:"Say nothing but what went wrong."`
}

// Help shows examples.
func (embedCommand) Help() string {
	return "  mlsdmctl embed \"the cat sat on the mat\"\n" +
		"  mlsdmctl embed --model openai/text-embedding-3-small --json < lines.txt\n" +
		"  mlsdmctl embed --file corpus.jsonl --field body --id-field id --out vectors.parquet\n" +
		"  zcat corpus.jsonl.gz | mlsdmctl embed --file - --input-format jsonl --out vectors.npy --input-type document\n" +
		"  mlsdmctl embed --durable --id corpus-7 --file corpus.jsonl --out vectors.npy\n" +
		"  id=$(mlsdmctl embed --durable --no-wait --quiet --file lines.txt); mlsdmctl job $id --watch --out vectors.npy\n\n" +
		"A large file may be interrupted, by Ctrl-C or a crash: the same command goes on where it stopped. It refuses to if the input, the\n" +
		"model or its vector space has changed, so that a file never holds vectors that cannot be compared. Each text is a row, in the order\n" +
		"of the input; empty lines are none. A text that cannot be embedded is a row of zeros in npy, an \"error\" in jsonl and null in\n" +
		"parquet; OUT.errors.jsonl names it with its line, and the exit status is 1.\n\n" +
		"With --durable all texts are one request, which goes on when this command ends: Ctrl-C only ends the waiting. Come back with\n" +
		"mlsdmctl job ID, or with the same command and --id ID."
}

// maxLine bounds one line of the standard input.
const maxLine = 1 << 20

// request is what is asked for, but for the texts.
func (e embedCommand) request() events.EmbeddingsRequest {
	return events.EmbeddingsRequest{
		Model: e.Model, Dimensions: e.Dimensions, InputType: e.InputType, Truncate: e.Truncate, AllowOtherSpace: e.AllowOtherSpace,
	}
}

// Run implements the command.
func (e embedCommand) Run(ctx context.Context, c *connection, t terminal) error {
	if err := e.checkDurable(); err != nil {
		return err
	}
	if e.Durable {
		return e.runDurable(ctx, c, t)
	}
	if e.File != "" || e.Out != "" {
		return e.runFile(ctx, c, t)
	}
	req := e.request()
	req.Input = e.Texts
	if len(req.Input) == 0 {
		var err error
		if req.Input, err = readLines(t); err != nil {
			return err
		}
	}
	resp, err := c.embed(ctx, t, req)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(t, resp)
	} else {
		err = e.show(t, req.Input, resp)
	}
	if err == nil && resp.Failed > 0 && !e.SkipErrors {
		return fmt.Errorf("%d of %d texts have no vector", resp.Failed, len(req.Input))
	}
	return err
}

// embed asks for the vectors of a few texts.
func (c connection) embed(ctx context.Context, t terminal, req events.EmbeddingsRequest) (*events.EmbeddingsResponse, error) {
	cl, err := c.client(ctx, t)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	resp, err := cl.Embed(ctx, req)
	return resp, hint(err)
}

// show prints the beginning of each vector.
func (embedCommand) show(t terminal, texts []string, resp *events.EmbeddingsResponse) error {
	dimensions := 0
	for i, d := range resp.Data {
		if d.Error == nil {
			dimensions = len(d.Embedding.Values)
		}
		if err := showVector(t, texts[i], d); err != nil {
			return err
		}
	}
	return showUsed(t, resp, dimensions)
}

// cut says how much of a text was read.
func cut(t *events.Truncation) string {
	switch {
	case t.Used > 0 && t.Tokens > 0:
		return fmt.Sprintf("only %d of its %d tokens were read", t.Used, t.Tokens)
	case t.Used > 0:
		return fmt.Sprintf("only %d tokens were read", t.Used)
	default:
		return "its end was not read"
	}
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
			return nil, fmt.Errorf("the standard input has more than %d lines; --file - --out vectors.npy takes any number, and --durable %d", events.MaxInputs, events.MaxDurableInputs)
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
