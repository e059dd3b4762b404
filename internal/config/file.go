package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"
)

// The largest file that is read, and the deepest that its keys may be nested. Both are far above any honest use.
const (
	maxFileBytes = 1 << 20
	maxDepth     = 8
)

// layout is what a reader needs to know to tell a key from a mistake.
type layout struct {
	section string          // whose settings are wanted
	known   Known           // the keys of every service that may be configured in the file, the own ones included
	isMap   map[string]bool // those own keys whose value is a mapping
}

// file is a configuration file, as far as it concerns one service.
type file struct {
	path    string
	layout  layout
	flat    map[string]setting // for every service
	section map[string]setting // for this service
	errs    []error
}

// setting returns what the file has for a key; the section of the service wins.
func (f *file) setting(key string) (setting, bool) {
	if s, ok := f.section[key]; ok {
		return s, true
	}
	s, ok := f.flat[key]
	return s, ok
}

// at says where a node stands.
func (f *file) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d", f.path, n.Line) }

func readFile(path string, l layout) (*file, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	defer in.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(in, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("configuration file %s: larger than %d bytes", path, maxFileBytes)
	}
	return parseFile(path, text, l)
}

func parseFile(path string, text []byte, l layout) (*file, error) {
	f := &file{path: path, layout: l, flat: map[string]setting{}, section: map[string]setting{}}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return f, nil
	case err != nil:
		return nil, fmt.Errorf("configuration file %s: %w", path, err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("configuration file %s: one YAML document is expected, there is more after it", path)
	}
	top := document.Content[0]
	switch {
	case top.Kind == yaml.MappingNode:
		f.readTop(top)
	case top.Tag != "!!null":
		return nil, fmt.Errorf("%s: settings are expected, such as \"log-level: debug\"", f.at(top))
	}
	return f, errors.Join(f.errs...)
}

// readTop tells sections from settings.
func (f *file) readTop(top *yaml.Node) {
	flat := &reader{file: f, known: f.layout.known.all(), into: f.flat}
	for key, value := range pairs(top) {
		keys, isSection := f.layout.known[key.Value]
		isSection = isSection && (value.Kind == yaml.MappingNode || value.Tag == "!!null")
		switch {
		case !isSection:
			flat.read(key, value, key.Value, 1)
		case key.Value == f.layout.section:
			(&reader{file: f, section: key.Value, known: keys, into: f.section}).readAll(value)
		default: // what is meant for others is only checked
			(&reader{file: f, section: key.Value, known: keys, into: map[string]setting{}}).readAll(value)
		}
	}
}

// reader files the keys of one part of the file: of a section, or of what is outside of sections.
type reader struct {
	file    *file
	section string // its name; empty outside of sections
	known   []string
	into    map[string]setting
}

func (r *reader) readAll(section *yaml.Node) {
	for key, value := range pairs(section) {
		r.read(key, value, key.Value, 1)
	}
}

// read files one key, or those nested below it. path is the key with those above it, joined with "-".
func (r *reader) read(key, value *yaml.Node, path string, depth int) {
	switch {
	case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
		r.file.complain(key, "a key must be a plain name")
		return
	case value.Kind == yaml.AliasNode:
		r.file.complain(value, "%s: anchors and aliases are not supported; write the value out", path)
		return
	case depth > maxDepth:
		r.file.complain(key, "%s: nested too deeply", path)
		return
	}
	known := slices.Contains(r.known, path)
	nested := value.Kind == yaml.MappingNode && len(value.Content) > 0 && (!known || r.file.nests(path))
	switch {
	case nested:
		for k, v := range pairs(value) {
			r.read(k, v, path+"-"+k.Value, depth+1)
		}
	case !known:
		r.file.complain(key, "%s", r.file.layout.known.unknown(path, r.section))
	default:
		if first, twice := r.into[path]; twice {
			r.file.complain(key, "%s is set twice, first in line %d", path, first.node.Line)
			return
		}
		r.into[path] = setting{node: value}
	}
}

// nests reports whether a mapping below a known key holds further keys, and is not the value of the key.
func (f *file) nests(path string) bool {
	isMap, own := f.layout.isMap[path]
	return own && !isMap
}

func (f *file) complain(at *yaml.Node, format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("%s: %s", f.at(at), fmt.Sprintf(format, args...)))
}

// pairs ranges over the keys and values of a mapping; over nothing if n is not one.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}
