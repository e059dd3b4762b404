package events

import "embed"

//go:embed schemas/v1/*.json
var schemas embed.FS

// Schema returns the JSON Schema (draft 2020-12) of the data of an event type of the catalogue, of a body of [Bodies] by
// its name, or of a structured event as a whole by the name "event". Its $id is [SchemaURI].
func Schema(name string) ([]byte, bool) {
	schema, err := schemas.ReadFile("schemas/" + SchemaVersion + "/" + name + ".json")
	return schema, err == nil
}
