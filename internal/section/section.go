// Package section reads the sections of a YAML file that an operator writes. What is not understood is an error, which names the
// file and the line; all of them are told at once.
package section

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxErrors bounds how many errors are told at once.
const maxErrors = 20

// Reader reads nodes of one file, and gathers what is wrong with them.
type Reader struct {
	file string
	errs []error
}

// New returns a reader. file is the name of the file in errors.
func New(file string) *Reader { return &Reader{file: file} }

// Document parses the text of a file, which holds one YAML document. It returns nil for an empty one.
func (r *Reader) Document(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil //nolint:nilnil // an empty file is right, and has no node
	case err != nil:
		return nil, fmt.Errorf("%s: %w", r.file, err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: one YAML document is expected, there is more after it", r.file)
	}
	return document.Content[0], nil
}

// Err returns everything that was wrong, or nil.
func (r *Reader) Err() error { return errors.Join(r.errs...) }

// Complain notes what is wrong, and where.
func (r *Reader) Complain(at *yaml.Node, format string, args ...any) {
	switch len(r.errs) {
	case maxErrors:
		r.errs = append(r.errs, fmt.Errorf("%s: there is more that is wrong", r.file))
	case maxErrors + 1:
	default:
		r.errs = append(r.errs, fmt.Errorf("%s:%d: %w", r.file, at.Line, fmt.Errorf(format, args...))) //nolint:err113 // for the operator
	}
}

// Pairs ranges over the keys and values of a mapping; what names it in errors. It complains about what is none, and about a key
// that stands there twice. A null has no pairs.
func (r *Reader) Pairs(n *yaml.Node, what string) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			if n.Tag != "!!null" {
				r.Complain(n, "%s is a mapping", what)
			}
			return
		}
		seen := make(map[string]int, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			first, twice := seen[key.Value]
			switch {
			case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
				r.Complain(key, "a key must be a plain name")
			case key.Anchor != "" || value.Anchor != "" || value.Kind == yaml.AliasNode:
				r.Complain(key, "anchors and aliases are not supported; write the value out")
			case twice:
				r.Complain(key, "%s stands there twice, first in line %d", key.Value, first)
			default:
				seen[key.Value] = key.Line
				if !yield(key, value) {
					return
				}
			}
		}
	}
}

// Items returns the items of a list. It complains about what is none; a null has no items.
func (r *Reader) Items(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		if n.Tag != "!!null" {
			r.Complain(n, "%s is a list", what)
		}
		return nil
	}
	items := make([]*yaml.Node, 0, len(n.Content))
	for _, item := range n.Content {
		if item.Kind == yaml.AliasNode || item.Anchor != "" {
			r.Complain(item, "anchors and aliases are not supported; write the value out")
			continue
		}
		items = append(items, item)
	}
	return items
}

// Text reads a text that is not empty.
func (r *Reader) Text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		r.Complain(n, "%s is a text", what)
		return ""
	}
	return n.Value
}

// Whole reads a whole number of least to most.
func (r *Reader) Whole(n *yaml.Node, what string, least, most int64) int64 {
	v, err := strconv.ParseInt(n.Value, 0, 64)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || v < least || v > most {
		r.Complain(n, "%s is a whole number of %d to %d", what, least, most)
		return least
	}
	return v
}

// Number reads a number of least to most.
func (r *Reader) Number(n *yaml.Node, what string, least, most float64) float64 {
	v, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!float" || err != nil || math.IsNaN(v) || v < least || v > most {
		r.Complain(n, "%s is a number of %v to %v", what, least, most)
		return least
	}
	return v
}

// Duration reads a duration of least to most.
func (r *Reader) Duration(n *yaml.Node, what string, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || d < least || d > most {
		r.Complain(n, "%s is a duration of %s to %s, such as 5s", what, least, most)
		return least
	}
	return d
}
