package bulk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// work has the texts of a batch embedded.
func (j *Job) work(ctx context.Context, b *batch) {
	b.rows = make([]vectorfile.Row, len(b.items))
	var good []int // the items that hold a text
	for i, item := range b.items {
		b.rows[i] = vectorfile.Row{Line: item.Line, ID: item.ID}
		if item.Err != nil {
			b.rows[i].Error = &events.ErrorBody{Code: events.CodeInvalidArgument, Message: item.Err.Error()}
			continue
		}
		good = append(good, i)
	}
	if len(good) > 0 {
		b.err = j.embed(ctx, b, good)
	}
}

// embed asks for the vectors of some texts. What cannot be answered as a whole is asked for in halves, down to the text whose fault
// it is.
func (j *Job) embed(ctx context.Context, b *batch, items []int) error {
	resp, err := j.ask(ctx, b.items, items)
	if err == nil {
		return b.take(resp, items)
	}
	coded := events.AsError(err)
	switch {
	case !divisible(coded.Code):
		return err
	case len(items) > 1:
		for _, half := range [][]int{items[:len(items)/2], items[len(items)/2:]} {
			if err := j.embed(ctx, b, half); err != nil {
				return err
			}
		}
		if !slices.ContainsFunc(items, func(at int) bool { return b.rows[at].Error != nil }) { // it was only too much at once
			j.lower(len(items))
		}
		return nil
	case coded.Code == events.CodeDeadlineExceeded:
		return err
	default:
		b.rows[items[0]].Error = &events.ErrorBody{Code: coded.Code, Message: coded.Message, Retryable: coded.Retryable, Provider: coded.Provider}
		return nil
	}
}

// divisible reports whether a part of a request may be answered where the whole is not.
func divisible(code events.Code) bool {
	switch code {
	case events.CodeInvalidArgument, events.CodeContentRejected, events.CodeUnsupported, events.CodeDeadlineExceeded:
		return true
	default:
		return false
	}
}

// ask asks until there is an answer, one that will not change, or patience ends. Neither a request on its way is given up
// when ctx ends, nor one that is still to go: those behind it may be answered, and are of no use without it.
func (j *Job) ask(ctx context.Context, all []corpus.Item, items []int) (*events.EmbeddingsResponse, error) {
	texts := make([]string, len(items))
	for i, at := range items {
		texts[i] = all[at].Text
	}
	backoff := retry.Backoff{Base: 500 * time.Millisecond, Cap: 15 * time.Second, Jitter: 500 * time.Millisecond}
	begun := time.Now()
	for n := 0; ; n++ {
		resp, err := j.Embed(j.calls, texts)
		if err == nil {
			return resp, check(resp, len(texts))
		}
		coded := events.AsError(err)
		if !coded.Retryable || coded.Code == events.CodeDeadlineExceeded && len(texts) > 1 {
			return nil, err
		}
		wait := max(backoff.Delay(n, rand.Float64), coded.RetryAfter)
		if time.Since(begun)+wait > j.Patience {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}

// check refuses an answer that does not fit the question.
func check(resp *events.EmbeddingsResponse, texts int) error {
	if len(resp.Data) != texts {
		return events.Errorf(events.CodeInternal, "%d vectors were answered for %d texts", len(resp.Data), texts)
	}
	for i, d := range resp.Data {
		if d.Error == nil && len(d.Embedding.Values) == 0 {
			return events.Errorf(events.CodeInternal, "the vector of text %d of the request is empty", i)
		}
	}
	return nil
}

// take takes the vectors out of an answer.
func (b *batch) take(resp *events.EmbeddingsResponse, items []int) error {
	b.tokens += resp.Usage.TotalTokens
	for i, at := range items {
		d := resp.Data[i]
		row := &b.rows[at]
		row.Truncated = d.Truncated
		if d.Error != nil {
			row.Error = d.Error
			continue
		}
		space := SpaceOf(resp, len(d.Embedding.Values))
		if b.space == (vectorfile.Space{}) {
			b.space = space
		}
		if b.space.ID != space.ID || space.Dimensions != b.space.Dimensions {
			return fmt.Errorf("%w: of the texts of one request, line %d lies in %s, those before it in %s", vectorfile.ErrSpace, row.Line, space.ID, b.space.ID)
		}
		row.Vector = d.Embedding.Values
	}
	return nil
}

// SpaceOf returns the space that a vector of an answer lies in. A service that does not name it is taken to have one for each model
// and length.
func SpaceOf(resp *events.EmbeddingsResponse, dimensions int) vectorfile.Space {
	space := vectorfile.Space{ID: fmt.Sprintf("%s/%d", resp.Model, dimensions), Model: resp.Model, Dimensions: dimensions}
	if resp.Space != nil && resp.Space.ID != "" {
		space.ID = resp.Space.ID
	}
	return space
}
