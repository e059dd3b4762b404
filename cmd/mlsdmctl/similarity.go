package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/bulk"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// similarityCommand compares texts.
type similarityCommand struct {
	Text       string   `arg:"" help:"The text that the others are compared with."`
	Others     []string `arg:"" name:"other" help:"The others; the most similar is printed first."`
	Model      string   `short:"m" help:"Model as provider/model; without it the service's default."`
	Dimensions int      `help:"Length of the vectors, for models that can shorten them."`
}

// Help shows examples.
func (similarityCommand) Help() string {
	return "The cosine of their vectors: 1 is the same, 0 is nothing in common. What counts as similar depends on the model: compare with texts\n" +
		"that are not.\n\n" +
		"  mlsdmctl similarity \"reset my password\" \"I forgot my login\" \"weather in Paris\"\n" +
		"  mlsdmctl similarity --json \"a cat\" \"a kitten\" | jq .similarity"
}

// similarity is how similar a text is.
type similarity struct {
	Text       string  `json:"text"`
	Similarity float64 `json:"similarity"`
}

// similarities is the outcome for machines.
type similarities struct {
	Similarity float64      `json:"similarity"` // of the most similar
	Model      string       `json:"model"`
	Space      string       `json:"space"`
	Others     []similarity `json:"others,omitempty"` // if there are several, the most similar first
}

// Run implements the command.
func (s similarityCommand) Run(ctx context.Context, c *connection, t terminal) error {
	req := events.EmbeddingsRequest{Model: s.Model, Dimensions: s.Dimensions, Input: append(events.TextInput{s.Text}, s.Others...)}
	resp, err := c.embed(ctx, t, req)
	if err != nil {
		return err
	}
	for i, d := range resp.Data {
		if d.Error != nil {
			return fmt.Errorf("there is no vector of %q: %s", oneLine(req.Input[i], 40), d.Error.Message)
		}
		if d.Truncated != nil {
			fmt.Fprintf(t.err, "%q is longer than the model reads: %s\n", printable(oneLine(req.Input[i], 40)), cut(d.Truncated))
		}
	}
	first := resp.Data[0].Embedding.Values
	out := similarities{Model: resp.Model, Space: bulk.SpaceOf(resp, len(first)).ID}
	found := make([]similarity, 0, len(s.Others))
	for i, text := range s.Others {
		value, err := cosine(first, resp.Data[i+1].Embedding.Values)
		if err != nil {
			return err
		}
		found = append(found, similarity{Text: text, Similarity: value})
	}
	slices.SortStableFunc(found, func(a, b similarity) int { return cmp.Compare(b.Similarity, a.Similarity) })
	out.Similarity = found[0].Similarity
	if len(found) > 1 {
		out.Others = found
	}
	if c.JSON {
		return printJSON(t, out)
	}
	for _, f := range found {
		fmt.Fprintf(t.out, "%6.3f  %s\n", f.Similarity, printable(oneLine(f.Text, 100)))
	}
	_, err = fmt.Fprintf(t.out, "Cosine with %q, 1 is the same: %s, space %s\n", printable(oneLine(s.Text, 60)), printable(out.Model), printable(out.Space))
	return err
}

// cosine returns the cosine of the angle between two vectors, from -1 to 1.
func cosine(a, b []float32) (float64, error) {
	if len(a) == 0 || len(a) != len(b) {
		return 0, fmt.Errorf("the vectors have %d and %d numbers, and cannot be compared", len(a), len(b))
	}
	var dot, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0, errors.New("a vector is zero, which is similar to nothing")
	}
	return max(-1, min(1, dot/(math.Sqrt(aa)*math.Sqrt(bb)))), nil
}
