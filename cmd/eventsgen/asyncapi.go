package main

import (
	"fmt"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// asyncAPI generates docs/asyncapi.yaml: AsyncAPI 3.0.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0), from
// where our services stand: they send what others receive, and receive what others ask.
func asyncAPI(_ string, files map[string][]byte) error {
	d := &document{named: map[string]bool{}}
	d.events()
	for _, op := range events.Operations() {
		d.operation(op)
	}
	d.control()
	d.durable()
	d.deliveries()
	d.deadLetters()
	d.headers()
	content, err := encodeYAML(object{
		"asyncapi", "3.0.0",
		"id", "urn:mlsdm:integrations",
		"info",
		object{
			"title", "MLSDM integrations",
			"version", "1.0.0",
			"description", "What is said on the bus. The rules are in docs/protocol.md; this is the list.",
			"license",
			object{"name", "MIT"},
		},
		"defaultContentType", events.ContentTypeJSON,
		"servers",
		object{"local", object{
			"host", "127.0.0.1:4222", "protocol", "nats", "description", "The embedded server of `mlsdmctl up`.",
		}},
		"channels", d.channels,
		"operations", d.operations,
		"components",
		object{"messages", d.messages, "schemas", d.schemas},
	})
	if err != nil {
		return fmt.Errorf("the AsyncAPI document: %w", err)
	}
	files["docs/asyncapi.yaml"] = append([]byte("# "+generatedComment+"\n"), content...)
	return nil
}

// document is the document as it grows. Its names are the keys of AsyncAPI's maps.
type document struct {
	subjects                                events.Subjects
	channels, operations, messages, schemas object
	named                                   map[string]bool
}

// key makes a name of a subject or a type: letters, digits and _.
func key(parts ...string) string {
	return strings.NewReplacer(".", "_", "-", "_", "{", "", "}", "", "*", "any", ">", "rest").Replace(strings.Join(parts, "_"))
}

// message adds a message once and returns its name.
func (d *document) message(name, summary string, payload object, more ...any) string {
	if !d.named[name] {
		d.named[name] = true
		d.messages.set(name, append(object{"name", name, "summary", summary, "payload", payload}, more...))
	}
	return name
}

// schemaOf refers to a generated schema.
func schemaOf(name string) object { return ref("../" + schemaDir + "/" + name + ".json") }

// body adds the message of a body of the catalogue and returns its name.
func (d *document) body(value any, headers string) string {
	name := bodyName(value)
	for _, b := range events.Bodies() {
		if b.Name == name {
			return d.message(name, b.For, schemaOf(name), "headers", ref("#/components/schemas/"+headers))
		}
	}
	return ""
}

// channel adds a channel. The parts of the address in braces are its parameters.
func (d *document) channel(name string, address any, summary string, messages ...string) {
	list, parameters := object{}, object{}
	for _, m := range messages {
		list.set(m, ref("#/components/messages/"+m))
	}
	c := object{"address", address, "summary", summary, "messages", list}
	if text, ok := address.(string); ok {
		for token := range strings.SplitSeq(text, ".") {
			if parameter, ok := strings.CutPrefix(token, "{"); ok {
				parameter = strings.TrimSuffix(parameter, "}")
				parameters.set(parameter, object{"description", parameterMeaning(parameter)})
			}
		}
	}
	if len(parameters) > 0 {
		c.set("parameters", parameters)
	}
	d.channels.set(name, c)
}

// parameterMeaning describes the tokens of subjects that vary.
func parameterMeaning(name string) string {
	switch name {
	case "caller":
		return "Who asks; NATS permissions vouch for it."
	case "request":
		return "The id of the request."
	case "replica":
		return "The replica of the service that sends the stream."
	case "stream":
		return "Which of its streams."
	case "endpoint":
		return "The id of the webhook endpoint."
	case "delivery":
		return "The id of the delivery."
	case "kind":
		return "The kind of the durable request: " + strings.Join(events.RequestKinds(), " or ") + "."
	default:
		return "What users choose; it may have several parts."
	}
}

// action adds an operation on all messages of a channel.
func (d *document) action(name, does, channel, summary string, more ...any) {
	d.operations.set(name, append(object{"action", does, "channel", ref("#/channels/" + channel), "summary", summary}, more...))
}
