package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// sent are the texts of a request.
type sent struct {
	items []corpus.Item
	upTo  corpus.Position
}

// texts reads the texts. A line without one is an error: a request has nothing but texts, and each has its row in the result.
func (e embedCommand) texts(t terminal, ask vectorfile.Ask) (sent, error) {
	if len(e.Texts) > 0 {
		items := make([]corpus.Item, len(e.Texts))
		for i, text := range e.Texts {
			items[i] = corpus.Item{Line: i + 1, Text: text}
		}
		return sent{items: items}, nil
	}
	name := cmp.Or(e.File, standardStream)
	in, _, err := openInput(name, t)
	if err != nil {
		return sent{}, err
	}
	defer in.Close()
	if name == standardStream {
		name = "the standard input"
	}
	return readAll(corpus.New(in, corpus.Format{JSONL: ask.JSONL, Field: ask.Field, IDField: ask.IDField}), name)
}

// readAll reads the texts of one request.
func readAll(in *corpus.Reader, name string) (sent, error) {
	const shown = 5
	var all sent
	var wrong []string
	bad, size := 0, 0
	for {
		item, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return all, err
		}
		if item.Err != nil {
			if bad++; bad <= shown {
				wrong = append(wrong, fmt.Sprintf("line %d of %s: %v", item.Line, name, item.Err))
			}
			continue
		}
		all.items = append(all.items, item)
		if size += len(item.Text); len(all.items) > events.MaxDurableInputs || size > events.MaxDurableBody {
			return all, tooMuch(fmt.Errorf("%s has more than %s texts, or %s bytes of them: a durable request takes no more", name,
				thousands(events.MaxDurableInputs), thousands(events.MaxDurableBody)))
		}
	}
	all.upTo = in.Position()
	switch {
	case bad > shown:
		wrong = append(wrong, fmt.Sprintf("and %s others", thousands(bad-shown)))
		fallthrough
	case bad > 0:
		return all, &hintedError{errors.New(strings.Join(wrong, "\n")), "Nothing was sent. Without --durable such lines are errors in --out, and the others are embedded."}
	case len(all.items) == 0:
		return all, fmt.Errorf("nothing to embed: there is no text in %s", name)
	}
	return all, nil
}

// tooMuch says what takes any number of texts.
func tooMuch(err error) error {
	return &hintedError{err, "Without --durable, \"mlsdmctl embed --file FILE --out vectors.npy\" takes any number."}
}
