package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strconv"

	"github.com/invopop/jsonschema"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// schemaDir is where the schemas stand.
const schemaDir = "pkg/events/schemas/" + events.SchemaVersion

// generatedComment stands in generated files.
const generatedComment = "Generated from package events by `make generate`; do not edit."

// schemas generates a JSON Schema for each event type and each body, and one for an event as a whole.
func schemas(root string, files map[string][]byte) error {
	docs, err := readComments(filepath.Join(root, "pkg", "events"))
	if err != nil {
		return err
	}
	own, err := readComments(filepath.Join(root, "cmd", "eventsgen"))
	if err != nil {
		return err
	}
	add := func(docs *comments, name string, value any) error {
		schema := reflector(docs).Reflect(value)
		finish(name, schema)
		content, err := render(schema)
		if err != nil {
			return fmt.Errorf("the schema of %s: %w", name, err)
		}
		files[schemaDir+"/"+name+".json"] = content
		return nil
	}
	for _, t := range events.Types() {
		if err := add(docs, t.Name, t.Payload); err != nil {
			return err
		}
	}
	for _, b := range events.Bodies() {
		if err := add(docs, b.Name, b.Value); err != nil {
			return err
		}
	}
	return add(own, "event", CloudEvent{})
}

// reflector makes schemas that allow what they do not know: within a version, fields may be added.
func reflector(docs *comments) *jsonschema.Reflector {
	return &jsonschema.Reflector{
		Anonymous: true, AllowAdditionalProperties: true, ExpandedStruct: true, LookupComment: docs.lookup, Mapper: mapper(docs),
	}
}

// mapper describes the types whose JSON is not what their Go type suggests.
func mapper(docs *comments) func(reflect.Type) *jsonschema.Schema {
	text := func() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }
	list := func(of *jsonschema.Schema) *jsonschema.Schema { return &jsonschema.Schema{Type: "array", Items: of} }
	return func(t reflect.Type) *jsonschema.Schema {
		switch t {
		case reflect.TypeFor[events.TextInput]():
			one, many := text(), list(text())
			one.MinLength, many.Items.MinLength = new(uint64(1)), new(uint64(1))
			tokens, tokenLists := list(tokenID()), list(list(tokenID()))
			for _, ids := range []*jsonschema.Schema{tokens, tokenLists.Items} {
				ids.MinItems, ids.MaxItems = new(uint64(1)), new(uint64(events.MaxInputTokens))
			}
			for _, inputs := range []*jsonschema.Schema{many, tokenLists} {
				inputs.MinItems, inputs.MaxItems = new(uint64(1)), new(uint64(events.MaxInputs))
			}
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{one, many, tokens, tokenLists}}
		case reflect.TypeFor[events.StopSequences]():
			many := list(text())
			many.MaxItems = new(uint64(4))
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{text(), many}}
		case reflect.TypeFor[events.Vector]():
			return &jsonschema.Schema{Description: docs.lookup(t, ""), OneOf: []*jsonschema.Schema{
				list(&jsonschema.Schema{Type: "number"}), {Type: "string", ContentEncoding: "base64"},
			}}
		case reflect.TypeFor[events.Content]():
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{text(), list(contentPart()), {Type: "null"}}}
		case reflect.TypeFor[events.Code]():
			code := text()
			for _, c := range events.Codes() { // examples, not an enumeration: a later version may have more
				code.Examples = append(code.Examples, string(c))
			}
			return code
		default:
			return nil
		}
	}
}

// tokenID describes the id of a token.
func tokenID() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "integer", Minimum: json.Number("0"), Maximum: json.Number(strconv.Itoa(math.MaxInt32))}
}

// contentPart describes one part of a chat message.
func contentPart() *jsonschema.Schema {
	part := &jsonschema.Schema{Type: "object", Required: []string{"type"}, Properties: jsonschema.NewProperties()}
	part.Properties.Set("type", &jsonschema.Schema{Type: "string", MinLength: new(uint64(1)), Examples: []any{"text", "image_url"}})
	part.Properties.Set("text", &jsonschema.Schema{Type: "string", Description: "the text, when type is text"})
	return part
}

// finish gives a schema its id, and what its Go type cannot say.
func finish(name string, schema *jsonschema.Schema) {
	schema.ID = jsonschema.ID("urn:mlsdm:schema:" + events.SchemaVersion + ":" + name)
	schema.Comments = generatedComment
	schema.Title = name
	switch name {
	case "chat_request":
		schema.OneOf = []*jsonschema.Schema{{Required: []string{"messages"}}, {Required: []string{"prompt"}}}
	case "event":
		schema.AdditionalProperties = &jsonschema.Schema{
			Description: "Extension attributes.",
			OneOf:       []*jsonschema.Schema{{Type: "string", MaxLength: new(uint64(events.MaxAttributeLength))}, {Type: "boolean"}, {Type: "integer"}, {Type: "null"}},
		}
	}
}

// render writes a schema with indentation, and without the escapes that only matter inside of HTML.
func render(schema *jsonschema.Schema) ([]byte, error) {
	content, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, err
	}
	for escaped, plain := range map[string]string{`\u003c`: "<", `\u003e`: ">", `\u0026`: "&"} {
		content = bytes.ReplaceAll(content, []byte(escaped), []byte(plain))
	}
	return append(content, '\n'), nil
}
