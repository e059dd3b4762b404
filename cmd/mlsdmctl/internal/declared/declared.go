// Package declared reads and writes webhook endpoints as a file declares them: YAML, with the fields of
// [events.EndpointSpec] under "endpoints".
package declared

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// MaxFile bounds a file, in bytes.
const MaxFile = 4 << 20

// Endpoint is one endpoint of a file.
type Endpoint struct {
	events.EndpointSpec

	// Line is where it begins.
	Line int
}

// file is what a file holds.
type file struct {
	Endpoints []events.EndpointSpec `json:"endpoints"`
}

// Parse reads a file, which errors call name. Every mistake is reported, each with its line: a field that does not exist or
// stands there twice, a value of the wrong kind or outside of its bounds, and an id that two endpoints have.
func Parse(name string, text []byte) ([]Endpoint, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", name, MaxFile)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s is empty; \"endpoints: []\" declares that there is none", name)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: one YAML document is expected, there is more after it", name)
	}
	r := &reader{name: name}
	top := document.Content[0]
	endpoints := r.endpoints(top)
	if endpoints == nil && len(r.errs) == 0 {
		r.complain(top, "the list \"endpoints\" is expected")
	}
	return endpoints, errors.Join(r.errs...)
}

// endpoints reads what stands at the top.
func (r *reader) endpoints(top *yaml.Node) []Endpoint {
	var list *yaml.Node
	if top.Kind != yaml.MappingNode {
		return nil
	}
	r.fields(top, "", func(key string) (func(*yaml.Node), bool) {
		return func(value *yaml.Node) { list = value }, key == "endpoints"
	}, []string{"endpoints"})
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	endpoints := make([]Endpoint, 0, len(list.Content))
	lines := make(map[string]int)
	for i, node := range list.Content {
		e := Endpoint{Line: node.Line}
		found := len(r.errs)
		path := fmt.Sprintf("endpoints[%d]", i)
		r.read(node, path, &e.EndpointSpec)
		if len(r.errs) == found {
			if err := e.Validate(); err != nil {
				r.complain(node, "%s: %s", named(e, path), events.AsError(err).Message)
			}
		}
		if first, twice := lines[e.ID]; twice && e.ID != "" {
			r.complain(node, "%s: the id is taken: the endpoint in line %d has it", named(e, path), first)
		}
		lines[e.ID] = node.Line
		endpoints = append(endpoints, e)
	}
	return endpoints
}

// named is how errors call an endpoint.
func named(e Endpoint, path string) string {
	if events.CheckEndpointID(e.ID) != nil {
		return path
	}
	return "endpoint " + e.ID
}

// Format writes endpoints as [Parse] reads them.
func Format(specs []events.EndpointSpec) ([]byte, error) {
	if specs == nil {
		specs = []events.EndpointSpec{}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(file{specs}); err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(asYAML(text.Bytes()), &document); err != nil { // JSON is YAML, and this keeps the order of the fields
		return nil, err
	}
	plain(&document)
	var out bytes.Buffer
	writer := yaml.NewEncoder(&out)
	writer.SetIndent(2)
	if err := writer.Encode(&document); err != nil {
		return nil, err
	}
	return out.Bytes(), writer.Close()
}

// asYAML escapes what may stand in a string of JSON and not in one of YAML: other people write what is exported.
func asYAML(text []byte) []byte {
	var out []byte
	for _, r := range string(text) {
		if r >= 0x7f && r <= 0x9f || r >= 0xfffe && r <= 0xffff {
			out = fmt.Appendf(out, "\\u%04x", r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// plain takes the look of JSON away.
func plain(node *yaml.Node) {
	node.Style = 0
	if node.Kind == yaml.ScalarNode && node.Tag == "!!str" && strings.Contains(node.Value, "\n") {
		node.Style = yaml.LiteralStyle
		if strings.ContainsAny(node.Value, "\t\r") || strings.HasPrefix(node.Value, " ") { // of which a block may lose some
			node.Style = yaml.DoubleQuotedStyle
		}
	}
	if node.Kind == yaml.SequenceNode && len(node.Content) == 0 {
		node.Style = yaml.FlowStyle
	}
	for _, child := range node.Content {
		plain(child)
	}
}
