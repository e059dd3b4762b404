package config

import (
	"errors"
	"fmt"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// setting is one value of the file.
type setting struct{ node *yaml.Node }

// value returns the setting in the form in which kong reads a flag of the command line; null is no value.
// Errors name neither the key nor the place, for the caller does, nor the content, for it may be secret.
func (s setting) value(flag *kong.Flag) (any, error) {
	isList, isMap := flag.IsSlice(), flag.IsMap()
	switch {
	case s.node.Tag == "!!null":
		return nil, nil
	case s.node.Kind == yaml.ScalarNode:
		if s.node.Value == secret.Redacted && isSecret(flag.Target.Type()) {
			return nil, errors.New("holds the mark that --print-config puts in place of a secret, not the secret")
		}
		return s.node.Value, nil
	case s.node.Kind == yaml.SequenceNode && isList:
		return joined(flag.Tag.Sep, s.node.Content)
	case s.node.Kind == yaml.MappingNode && isMap:
		return s.mapping(flag.Tag.MapSep)
	case isList:
		return nil, errors.New("must be a list")
	case isMap:
		return nil, errors.New("must be a mapping of names to values")
	default:
		return nil, errors.New("must be a single value")
	}
}

func (s setting) mapping(sep rune) (any, error) {
	entries := make([]*yaml.Node, 0, len(s.node.Content)/2)
	for key, value := range pairs(s.node) {
		if key.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode {
			return nil, errors.New("must map names to single values")
		}
		entries = append(entries, &yaml.Node{Kind: yaml.ScalarNode, Value: key.Value + "=" + value.Value})
	}
	return joined(sep, entries)
}

// joined returns the elements as one text that kong takes apart again, so that each is parsed as on the command line.
func joined(sep rune, elements []*yaml.Node) (any, error) {
	texts := make([]string, 0, len(elements))
	for _, e := range elements {
		if e.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("must hold single values, line %d does not", e.Line)
		}
		texts = append(texts, e.Value)
	}
	if sep == -1 { // kong splits nothing, and takes a list as it is
		list := make([]any, len(texts))
		for i, text := range texts {
			list[i] = text
		}
		return list, nil
	}
	return kong.JoinEscaped(texts, sep), nil
}
