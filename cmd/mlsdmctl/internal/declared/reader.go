package declared

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reader reads YAML into the types of the contract, by the names that these have in JSON. It collects what is wrong.
type reader struct {
	name string
	errs []error
}

func (r *reader) complain(node *yaml.Node, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s:%d: %s", r.name, node.Line, fmt.Sprintf(format, args...)))
}

// read reads a node into the value that target points to. path is what the errors call it.
func (r *reader) read(node *yaml.Node, path string, target any) {
	r.value(node, path, reflect.ValueOf(target).Elem())
}

// value is read with the value itself. What is null is left out.
func (r *reader) value(node *yaml.Node, path string, v reflect.Value) {
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		r.complain(node, "%s: anchors and aliases are not supported; write the value out", path)
		return
	}
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(node, path, v.Elem())
	case reflect.Struct:
		r.object(node, path, v)
	case reflect.Map:
		r.table(node, path, v)
	case reflect.Slice:
		r.list(node, path, v)
	default:
		if node.Kind != yaml.ScalarNode {
			r.complain(node, "%s: a single value is expected", path)
			return
		}
		r.scalar(node, path, v)
	}
}

// scalar reads a single value. A text is taken as it is written, whatever YAML would make of it: 1.10 and yes are texts.
func (r *reader) scalar(node *yaml.Node, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(node.Value)
	case reflect.Bool:
		if yes := strings.EqualFold(node.Value, "true"); node.Tag != "!!bool" || !yes && !strings.EqualFold(node.Value, "false") { // as in !!bool yes
			r.complain(node, "%s is %q; it is true or false", path, shorten(node.Value))
			return
		}
		v.SetBool(strings.EqualFold(node.Value, "true"))
	case reflect.Int:
		n, err := strconv.Atoi(node.Value)
		if err != nil {
			r.complain(node, "%s is %q; it is a whole number", path, shorten(node.Value))
			return
		}
		v.SetInt(int64(n))
	case reflect.Float64:
		f, err := strconv.ParseFloat(node.Value, 64)
		if err != nil {
			r.complain(node, "%s is %q; it is a number", path, shorten(node.Value))
			return
		}
		v.SetFloat(f)
	default: // the types of the contract have no other
		r.complain(node, "%s cannot be declared in a file", path)
	}
}

// list reads a list; a single text stands for a list of one.
func (r *reader) list(node *yaml.Node, path string, v reflect.Value) {
	items := node.Content
	if node.Kind == yaml.ScalarNode && v.Type().Elem().Kind() == reflect.String {
		items = []*yaml.Node{node}
	} else if node.Kind != yaml.SequenceNode {
		r.complain(node, "%s: a list is expected", path)
		return
	}
	all := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		r.value(item, fmt.Sprintf("%s[%d]", path, i), all.Index(i))
	}
	v.Set(all)
}

// table reads names and texts.
func (r *reader) table(node *yaml.Node, path string, v reflect.Value) {
	if node.Kind != yaml.MappingNode {
		r.complain(node, "%s: names with their values are expected", path)
		return
	}
	table := reflect.MakeMap(v.Type())
	r.fields(node, path, func(key string) (func(*yaml.Node), bool) {
		return func(value *yaml.Node) {
			text := reflect.New(v.Type().Elem()).Elem()
			r.value(value, path+"."+key, text)
			table.SetMapIndex(reflect.ValueOf(key), text)
		}, true
	}, nil)
	v.Set(table)
}

// object reads the fields of a struct.
func (r *reader) object(node *yaml.Node, path string, v reflect.Value) {
	if node.Kind != yaml.MappingNode {
		r.complain(node, "%s: fields are expected", path)
		return
	}
	fields := make(map[string]reflect.Value)
	var names []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = v.Field(i)
		names = append(names, name)
	}
	r.fields(node, path, func(key string) (func(*yaml.Node), bool) {
		field, ok := fields[key]
		return func(value *yaml.Node) { r.value(value, join(path, key), field) }, ok
	}, names)
}

// fields reads the keys of a mapping with what take returns for each; false for one that does not exist.
func (r *reader) fields(node *yaml.Node, path string, take func(key string) (func(*yaml.Node), bool), names []string) {
	lines := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			r.complain(key, "a plain name is expected")
			continue
		}
		if first, twice := lines[key.Value]; twice {
			r.complain(key, "%s stands there twice, first in line %d", join(path, shorten(key.Value)), first)
			continue
		}
		lines[key.Value] = key.Line
		read, ok := take(key.Value)
		if !ok {
			r.complain(key, "there is no field %q; %s", join(path, shorten(key.Value)), hint(key.Value, names))
			continue
		}
		read(value)
	}
}

// join names a field of something.
func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// hint says which field may have been meant.
func hint(key string, names []string) string {
	same := func(s string) string { return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s)) }
	for _, name := range names {
		if same(name) == same(key) || same(name) == same(key)+"s" || same(name)+"s" == same(key) {
			return fmt.Sprintf("did you mean %q?", name)
		}
	}
	return "there are " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

// shorten keeps what a file says from filling the screen.
func shorten(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
