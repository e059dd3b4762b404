package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// compile compiles the schema that package events carries under a name.
func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	content, ok := events.Schema(name)
	require.True(t, ok, name)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(content)))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	id := "urn:mlsdm:schema:v1:" + name
	require.NoError(t, c.AddResource(id, doc))
	schema, err := c.Compile(id)
	require.NoError(t, err)
	require.Equal(t, id, doc.(map[string]any)["$id"]) //nolint:errcheck,forcetypeassert // a schema of ours is an object
	return schema
}

// goldens returns the golden files of a folder: what each is an example of, and its content.
func goldens(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "pkg/events/testdata/v1", dir, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	found := map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		found[strings.TrimSuffix(filepath.Base(file), ".json")] = string(content)
	}
	return found
}

// parse reads JSON as the validator wants it.
func parse(t *testing.T, text string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	return v
}

func TestGoldensFitTheirSchemas(t *testing.T) {
	t.Parallel()
	event := compile(t, "event")
	for name, text := range goldens(t, "") {
		value := parse(t, text)
		require.NoError(t, event.Validate(value), name)
		eventType, _, _ := strings.Cut(name, "-")
		if _, known := events.FindType(eventType); !known {
			continue
		}
		data := value.(map[string]any)["data"].(map[string]any) //nolint:errcheck,forcetypeassert // the goldens are ours
		schema := compile(t, eventType)
		require.NoError(t, schema.Validate(data), name)
		later := maps.Clone(data)
		later["field_of_a_later_version"] = map[string]any{"x": []any{nil}}
		require.NoError(t, schema.Validate(later), "%s: what is not known is allowed", name)
		refusesWrongTypes(t, schema, eventType, data)
	}
	for name, text := range goldens(t, "bodies") {
		body, _, _ := strings.Cut(name, "-")
		require.NoError(t, compile(t, body).Validate(parse(t, text)), name)
	}
}

// refusesWrongTypes changes each field to a value of another type: the schema and the code must both refuse it.
func refusesWrongTypes(t *testing.T, schema *jsonschema.Schema, eventType string, data map[string]any) {
	t.Helper()
	for field, value := range data {
		wrong := maps.Clone(data)
		wrong[field] = "five"
		if _, isText := value.(string); isText {
			wrong[field] = json.Number("5")
		}
		require.Error(t, schema.Validate(wrong), "%s: %s", eventType, field)
		content, err := json.Marshal(wrong)
		require.NoError(t, err)
		require.Error(t, events.CheckPayload(eventType, content), "%s: %s", eventType, field)
	}
}

func TestSchemasRefuseWhatValidateRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ eventType, field, value string }{
		{"ci.degraded", "run_id", "0"},
		{"ci.degraded", "threshold", "0"},
		{"ci.degraded", "repository", `""`},
		{"ci.run_failed", "duration_seconds", "-1"},
		{"moral_filter.reject", "score", "1.1"},
		{"moral_filter.reject", "stage", `"later"`},
		{"memory.threshold_exceeded", "level", `"panic"`},
		{"memory.threshold_exceeded", "threshold", "0"},
		{"request.processed", "door", `"back"`},
		{"request.processed", "prompt_tokens", "-1"},
		{"delivery.failed", "attempts", "0"},
		{"delivery.failed", "first_attempt_at", `"noon"`},
		{"secret.rotated", "name", `""`},
	} {
		value := parse(t, goldens(t, "")[tc.eventType])
		data := value.(map[string]any)["data"].(map[string]any) //nolint:errcheck,forcetypeassert // the goldens are ours
		data[tc.field] = parse(t, tc.value)
		require.Error(t, compile(t, tc.eventType).Validate(data), "%s: %s", tc.eventType, tc.field)
		content, err := json.Marshal(data)
		require.NoError(t, err)
		require.Error(t, events.CheckPayload(tc.eventType, content), "%s: %s", tc.eventType, tc.field)
	}
	for body, wrong := range map[string][]string{
		"embeddings_request":  {`{}`, `{"input":[]}`, `{"input":""}`, `{"input":[1,"a"]}`, `{"input":[[]]}`, `{"input":[-1]}`, `{"input":[1.5]}`, `{"input":[[2147483648]]}`, `{"input":"a","encoding_format":"hex"}`, `{"input":5}`},
		"embeddings_response": {`{}`, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":["1"]}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}`},
		"chat_request":        {`{}`, `{"prompt":"a","messages":[]}`, `{"messages":[{"role":"root","content":"a"}]}`, `{"prompt":"a","temperature":3}`, `{"prompt":"a","stop":[1]}`},
		"chat_chunk":          {`{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{}}]}`},
		"error_reply":         {`{}`, `{"error":{"code":"","message":"m","retryable":true}}`, `{"error":{"code":"internal","message":"m"}}`},
		"event":               {`{}`, `{"specversion":"0.3"}`, `{"specversion":"1.0","id":""}`, `{"specversion":"1.0","type":"a..b"}`, `{"specversion":"1.0","tenant":{}}`, `{"specversion":"1.0","time":"noon"}`},
		"secret_request":      {`{"name":"A"}`, `{"name":"","recipient_key":"X"}`},
	} {
		for _, text := range wrong {
			require.Error(t, compile(t, body).Validate(parse(t, text)), "%s: %s", body, text)
		}
	}
}

func TestSchemasSayWhatFieldsMean(t *testing.T) {
	t.Parallel()
	for _, et := range events.Types() {
		content, ok := events.Schema(et.Name)
		require.True(t, ok)
		require.NotContains(t, string(content), `\u003c`)
		var schema struct {
			Schema, ID, Description string
			Properties              map[string]struct{ Description string }
		}
		require.NoError(t, json.Unmarshal(content, &schema))
		require.NotEmpty(t, schema.Description)
		for name, property := range schema.Properties {
			require.NotEmpty(t, property.Description, "%s: %s", et.Name, name)
			require.NotContains(t, property.Description, "[", "%s: links of Go documentation", name)
		}
	}
	require.Equal(t, "urn:mlsdm:schema:v1:ci.degraded", events.SchemaURI("ci.degraded"))
	for _, name := range []string{"", "custom.x", "../v1/event", "event.json", "schemas"} {
		_, ok := events.Schema(name)
		require.False(t, ok, name)
	}
}
