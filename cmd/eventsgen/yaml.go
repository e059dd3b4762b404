package main

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// object is a YAML mapping that keeps its order: names and values in turn.
type object []any

// set adds one member.
func (o *object) set(name string, value any) { *o = append(*o, name, value) }

// MarshalYAML implements [yaml.Marshaler].
func (o object) MarshalYAML() (any, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i < len(o); i += 2 {
		var key, value yaml.Node
		if err := key.Encode(o[i]); err != nil {
			return nil, err
		}
		if err := value.Encode(o[i+1]); err != nil {
			return nil, fmt.Errorf("%v: %w", o[i], err)
		}
		node.Content = append(node.Content, &key, &value)
	}
	return node, nil
}

// ref is a reference.
func ref(to string) object { return object{"$ref", to} }

// encodeYAML writes a document.
func encodeYAML(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
