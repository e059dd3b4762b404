package config

import (
	"encoding"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// userInfo finds what stands before the host in a URL.
var userInfo = regexp.MustCompile(`://[^/?#@\s,]+@`)

// print writes the settings in effect as a file that could be read again, but for the secrets, which are redacted:
// those of type [secret.Value] that are no references, and user names and passwords in URLs. A comment says where each value came from.
func (p *parser) print(out io.Writer) error {
	settings := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range p.kong.Model.Flags {
		if p.flags[f.Name] == nil {
			continue
		}
		value, err := encode(f.Target)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		origin, ok := p.origins[f.Name]
		if !ok {
			origin = "default"
		}
		value.LineComment = "# " + origin
		settings.Content = append(settings.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: f.Name}, value)
	}
	if len(settings.Content) == 0 {
		return nil
	}
	encoder := yaml.NewEncoder(out)
	encoder.SetIndent(2)
	if err := encoder.Encode(settings); err != nil {
		return err
	}
	return encoder.Close()
}

// encode returns the YAML of one value.
func encode(v reflect.Value) (*yaml.Node, error) {
	if !v.IsValid() || (v.Kind() == reflect.Pointer && v.IsNil()) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
	switch x := v.Interface().(type) {
	case secret.Value:
		if x.IsZero() {
			return text(""), nil
		}
		if ref := x.Reference(); ref != nil {
			return text(ref.String()), nil
		}
		return text(secret.Redacted), nil
	case encoding.TextMarshaler:
		b, err := x.MarshalText()
		if err != nil {
			return nil, err
		}
		return text(string(b)), nil
	case fmt.Stringer:
		return text(x.String()), nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		return encode(v.Elem())
	case reflect.String:
		return text(v.String()), nil
	case reflect.Slice, reflect.Array:
		return encodeList(v)
	case reflect.Map:
		return encodeMap(v)
	default:
		n := &yaml.Node{}
		return n, n.Encode(v.Interface())
	}
}

func encodeList(v reflect.Value) (*yaml.Node, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for i := range v.Len() {
		e, err := encode(v.Index(i))
		if err != nil {
			return nil, err
		}
		list.Content = append(list.Content, e)
	}
	return list, nil
}

func encodeMap(v reflect.Value) (*yaml.Node, error) {
	mapping := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for _, key := range keys {
		k, err := encode(key)
		if err != nil {
			return nil, err
		}
		e, err := encode(v.MapIndex(key))
		if err != nil {
			return nil, err
		}
		mapping.Content = append(mapping.Content, k, e)
	}
	return mapping, nil
}

// text returns a YAML string, quoted only where it must be.
func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(userInfo.ReplaceAllString(s, "://"+secret.Redacted+"@"))
	return n
}
