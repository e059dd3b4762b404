package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// comments are the doc comments of the structs of a package, in the words of the wire: by "Type" and by "Type.Field".
type comments struct {
	texts  map[string]string
	fields map[string]string // names on the wire, by "Type.Field"
}

// readComments reads the comments of the package in a folder. A comment that stands above several fields and names them
// belongs to each of them.
func readComments(dir string) (*comments, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	c := &comments{texts: map[string]string{}, fields: map[string]string{}}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.TYPE {
				continue
			}
			for _, spec := range group.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					c.addType(t, group.Doc)
				}
			}
		}
	}
	return c, nil
}

// addType adds the comments of one type.
func (c *comments) addType(t *ast.TypeSpec, doc *ast.CommentGroup) {
	c.texts[t.Name.Name] = doc.Text()
	s, ok := t.Type.(*ast.StructType)
	if !ok {
		return
	}
	above := ""
	for _, field := range s.Fields.List {
		if text := field.Doc.Text(); text != "" {
			above = text
		}
		for _, name := range field.Names {
			key := t.Name.Name + "." + name.Name
			if field.Doc.Text() != "" || regexp.MustCompile(`\b`+name.Name+`\b`).MatchString(above) {
				c.texts[key] = above
			}
			if field.Tag != nil {
				c.fields[key] = wireName(strings.Trim(field.Tag.Value, "`"))
			}
		}
	}
}

// wireName returns the name that a field has in JSON, or nothing.
func wireName(tag string) string {
	name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
	return strings.Trim(name, "-")
}

// lookup returns the comment of a type, or of one of its fields, as one line. Names of Go are replaced by those of the wire.
func (c *comments) lookup(t reflect.Type, field string) string {
	key := t.Name()
	if field != "" {
		key += "." + field
	}
	text := strings.Join(strings.Fields(c.texts[key]), " ")
	for name, value := range map[string]int{"MaxInputs": events.MaxInputs, "MaxIDLength": events.MaxIDLength} {
		text = strings.ReplaceAll(text, "["+name+"]", strconv.Itoa(value))
	}
	text = regexp.MustCompile(`\[(\w+)\]`).ReplaceAllString(text, "$1")
	for name, wire := range c.fields {
		if goName, ok := strings.CutPrefix(name, t.Name()+"."); ok && wire != "" {
			text = regexp.MustCompile(`\b`+goName+`\b`).ReplaceAllString(text, wire)
		}
	}
	return text
}
