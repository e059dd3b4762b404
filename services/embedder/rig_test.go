package embedder_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/shape"
)

// rig is a bus, servers with models, and embedders that a configuration file describes.
type rig struct {
	*doortest.Street

	models map[string]*model
	dir    string
	spans  *genaitest.Spans
}

// program is the embedder as its command runs it.
func program() service.Unit {
	return service.Define(events.ServiceEmbedder, embedder.Summary, embedder.New)
}

// running is a [doortest.Runner].
type running func(context.Context) error

// Run implements [doortest.Runner].
func (f running) Run(ctx context.Context) error { return f(ctx) }

// newRig starts a bus; embedders come with [rig.start].
func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Street: doortest.Start(t), models: make(map[string]*model), dir: t.TempDir(), spans: genaitest.New(t)}
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "key"), []byte(llmtest.Key+"\n"), 0o600))
	return r
}

// serve starts a bus and one embedder with a configuration file.
func serve(t *testing.T, file string) *rig {
	t.Helper()
	r := newRig(t)
	r.start(t, file)
	return r
}

// model is the server of that name.
func (r *rig) model(t testing.TB, name string) *model {
	t.Helper()
	if r.models[name] == nil {
		r.models[name] = newModel(t, llmtest.ServerDimensions)
	}
	return r.models[name]
}

// write writes a configuration file, in which $key is a reference to a key, and any other $name the address of the server of that name.
func (r *rig) write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(r.dir, events.NewID()+".yaml")
	text = os.Expand(text, func(name string) string {
		if name == "key" {
			return "file:" + filepath.Join(r.dir, "key")
		}
		return r.model(t, name).URL
	})
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// start runs one more embedder, until the test ends or stop is called.
func (r *rig) start(t *testing.T, file string, environment ...map[string]string) (stop func()) {
	t.Helper()
	all := map[string]string{"EMBEDDER_CONFIG": r.write(t, file)}
	for _, some := range environment {
		maps.Copy(all, some)
	}
	instance, err := program().Load(service.Source{Lookup: lookup(all)})
	require.NoError(t, err)
	connected := r.Server.ConnectTraced(t, "embedder", r.spans.Provider)
	return r.Run(t, "embedder", running(func(ctx context.Context) error {
		return instance.Run(ctx, service.Deps{
			Bus: connected, Tracer: r.spans.Provider, Logger: bustest.Logger(t), Health: health.NewChecks(), DrainTimeout: 5 * time.Second,
		})
	}))
}

// lookup is an environment.
func lookup(environment map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}
}

// body writes a request: of a model for texts, with fields that are name and value in turn.
func body(t testing.TB, model string, texts []string, fields ...any) []byte {
	t.Helper()
	all := map[string]any{"input": texts}
	if model != "" {
		all["model"] = model
	}
	for i := 0; i+1 < len(fields); i += 2 {
		name, ok := fields[i].(string)
		require.True(t, ok)
		all[name] = fields[i+1]
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return text
}

// embed asks on the interactive door, for an answer without error.
func (r *rig) embed(t testing.TB, model string, texts []string, fields ...any) events.EmbeddingsResponse {
	t.Helper()
	m := r.Ask(t, interactive, body(t, model, texts, fields...))
	if err := m.Err(); err != nil {
		require.NoError(t, err)
	}
	return doortest.JSON[events.EmbeddingsResponse](t, m)
}

// refused asks on the interactive door, for an error.
func (r *rig) refused(t testing.TB, model string, texts []string, fields ...any) *events.Error {
	t.Helper()
	e := r.Ask(t, interactive, body(t, model, texts, fields...)).Err()
	require.NotNil(t, e)
	return e
}

// accept has the operator agree to another length of a model's vectors.
func (r *rig) accept(t testing.TB, model string, dimensions int) {
	t.Helper()
	_, err := spaces.Accept(t.Context(), r.Bus, model, dimensions)
	require.NoError(t, err)
}

// normal is the vector of a text as it is passed on: of length 1.
func normal(text string, dimensions int) []float32 {
	v, _ := shape.Normalize(llmtest.Vector(text, dimensions))
	return v
}

// vectors are the vectors of an answer.
func vectors(res events.EmbeddingsResponse) [][]float32 {
	list := make([][]float32, len(res.Data))
	for i := range res.Data {
		list[i] = res.Data[i].Embedding.Values
	}
	return list
}

// normals are those of texts.
func normals(texts []string, dimensions int) [][]float32 {
	list := make([][]float32, len(texts))
	for i, text := range texts {
		list[i] = normal(text, dimensions)
	}
	return list
}
