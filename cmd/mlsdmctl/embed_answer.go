package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/bulk"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// durableAnswer is the answer to a durable request, read text by text: only one piece of vectors that lie in the object store is in memory.
type durableAnswer struct {
	id      string
	resp    *events.EmbeddingsResponse
	texts   int
	vectors *client.VectorsReader
	details map[int]events.Embedding // of texts of which there is more to say than their vector
	index   int                      // of the next text
}

// newDurableAnswer reads an answer. What cannot be one is an error of code internal.
func newDurableAnswer(cl *client.Client, id string, resp *events.EmbeddingsResponse) (*durableAnswer, error) {
	a := &durableAnswer{id: id, resp: resp, texts: textsOf(resp), vectors: cl.Vectors(resp), details: make(map[int]events.Embedding)}
	for i, d := range resp.Data {
		if d.Index < 0 || d.Index >= a.texts || resp.Vectors == nil && d.Index != i {
			return nil, events.Errorf(events.CodeInternal, "the answer to %d texts has something about text %d in place %d", a.texts, d.Index, i)
		}
		if d.Error != nil || d.Truncated != nil {
			a.details[d.Index] = d
		}
	}
	return a, nil
}

// next returns what became of the next text; [io.EOF] after the last, when everything was what it should be.
func (a *durableAnswer) next(ctx context.Context) (events.Embedding, error) {
	vector, err := a.vectors.Next(ctx)
	if err != nil {
		return events.Embedding{}, err
	}
	d := events.Embedding{Object: "embedding", Index: a.index, Truncated: a.details[a.index].Truncated, Error: a.details[a.index].Error}
	switch {
	case d.Error != nil:
	case vector != nil:
		d.Embedding.Values = vector
	case a.resp.Vectors != nil:
		d.Error = &events.ErrorBody{
			Code: events.CodeInvalidArgument, Message: "it has no vector; why not did not fit the answer, which has more errors than one message holds",
		}
	default:
		return d, events.Errorf(events.CodeInternal, "the answer has no vector of text %d, and no error", a.index)
	}
	a.index++
	return d, nil
}

// each hands every text's result on.
func (a *durableAnswer) each(ctx context.Context, take func(events.Embedding) error) error {
	for {
		d, err := a.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = take(d)
		}
		if err != nil {
			return err
		}
	}
}

// textsOf is how many texts were answered.
func textsOf(resp *events.EmbeddingsResponse) int {
	if resp.Vectors != nil {
		return resp.Vectors.Count
	}
	return len(resp.Data)
}

// dimensionsOf is the length of the vectors; 0 if there is none.
func dimensionsOf(resp *events.EmbeddingsResponse) int {
	if resp.Vectors != nil {
		return resp.Vectors.Dimensions
	}
	for _, d := range resp.Data {
		if d.Error == nil {
			return len(d.Embedding.Values)
		}
	}
	return 0
}

// print prints the whole answer for machines, as the reply to an interactive request would be.
func (a *durableAnswer) print(ctx context.Context, t terminal) error {
	around := struct {
		RequestID string `json:"request_id"`
		events.EmbeddingsResponse
	}{a.id, *a.resp}
	around.Data, around.Vectors = []events.Embedding{}, nil
	frame, err := json.Marshal(around)
	if err != nil {
		return err
	}
	before, after, found := bytes.Cut(frame, []byte(`"data":[`))
	if !found {
		return errors.New("an answer is written without its data")
	}
	out := bufio.NewWriterSize(t.out, 256<<10)
	fmt.Fprint(out, escapeControls(string(before)), `"data":[`)
	err = a.each(ctx, func(d events.Embedding) error {
		if d.Index > 0 {
			fmt.Fprint(out, ",")
		}
		text, err := json.Marshal(d)
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, escapeControls(string(text)))
		return err
	})
	if err != nil { // what is printed is no JSON, whose end is missing
		return errors.Join(err, out.Flush())
	}
	fmt.Fprintln(out, escapeControls(string(after)))
	return out.Flush()
}

// mostShown is how many vectors are shown of more.
const mostShown = 20

// show prints the beginnings of the first vectors. Of those behind them nothing is fetched.
func (a *durableAnswer) show(ctx context.Context, t terminal, items []corpus.Item) error {
	for range min(a.texts, mostShown) {
		d, err := a.next(ctx)
		if err != nil {
			return err
		}
		if err := showVector(t, items[d.Index].Text, d); err != nil {
			return err
		}
	}
	if more := a.texts - mostShown; more > 0 {
		fmt.Fprintf(t.out, "… and %s others; \"mlsdmctl job %s --out vectors.npy\" writes all into a file\n", thousands(more), quoted(a.id))
	}
	return showUsed(t, a.resp, dimensionsOf(a.resp))
}

// writeOut writes the vectors into the file. Nothing is there before all of them are.
func (o outFile) writeOut(ctx context.Context, c *connection, t terminal, a *durableAnswer, ask vectorfile.Ask, texts sent) error {
	out, err := o.openOut(ask)
	if err != nil {
		return err
	}
	state, err := o.fillOut(ctx, out, a, texts)
	if err != nil {
		return errors.Join(err, out.Discard())
	}
	if err := out.Close(); err != nil {
		return err
	}
	return o.tellOut(c, t, state, out.Errors(), a.id)
}

// fillOut makes the file whole.
func (o outFile) fillOut(ctx context.Context, out *vectorfile.File, a *durableAnswer, texts sent) (vectorfile.State, error) {
	const batch = 256
	var space vectorfile.Space
	if n := dimensionsOf(a.resp); n > 0 {
		space = bulk.SpaceOf(a.resp, n)
	}
	rows := make([]vectorfile.Row, 0, batch)
	flush := func() error {
		err := out.Append(rows, space, 0, texts.upTo)
		rows = rows[:0]
		return err
	}
	err := a.each(ctx, func(d events.Embedding) error {
		row := vectorfile.Row{Line: d.Index + 1, Vector: d.Embedding.Values, Truncated: d.Truncated, Error: d.Error}
		if d.Index < len(texts.items) {
			row.Line, row.ID = texts.items[d.Index].Line, texts.items[d.Index].ID
		}
		if rows = append(rows, row); len(rows) < batch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = out.Append(nil, space, a.resp.Usage.TotalTokens, texts.upTo)
	}
	if err == nil {
		err = out.Finish()
	}
	return out.State(), err
}

// showVector prints the beginning of a vector.
func showVector(t terminal, text string, d events.Embedding) error {
	text = printable(oneLine(text, 60))
	if d.Error != nil {
		_, err := fmt.Fprintf(t.out, "[no vector: %s]  %s\n", printable(d.Error.Message), text)
		return err
	}
	values := d.Embedding.Values
	shown := make([]string, 0, 4)
	for _, v := range values[:min(4, len(values))] {
		shown = append(shown, fmt.Sprintf("%+.4f", v))
	}
	if d.Truncated != nil {
		text += "  (" + cut(d.Truncated) + ")"
	}
	_, err := fmt.Fprintf(t.out, "[%s … %d values]  %s\n", strings.Join(shown, " "), len(values), text)
	return err
}

// showUsed prints the model, the space and the tokens of an answer.
func showUsed(t terminal, resp *events.EmbeddingsResponse, dimensions int) error {
	space := ""
	if resp.Space != nil && dimensions > 0 {
		space = ", space " + printable(bulk.SpaceOf(resp, dimensions).ID)
	}
	_, err := fmt.Fprintln(t.out, printable(resp.Model)+space+", "+strconv.Itoa(resp.Usage.TotalTokens)+" tokens; --json prints whole vectors")
	return err
}
