package helm_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"
)

const (
	chartDir  = "../../deploy/helm/mlsdm-integrations"
	release   = "mlsdm"
	namespace = "integrations"
)

// valueFiles are the examples of the chart, by their names without the suffix.
func valueFiles() []string { return []string{"small", "production", "airgapped"} }

// load returns the chart. In the place of the official chart of NATS, which is not in the repository, there is one that shows what
// it is given; MLSDM_NATS_CHART names a folder or a package with the real one.
func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(chartDir)
	require.NoError(t, err)
	nats := os.Getenv("MLSDM_NATS_CHART")
	if nats == "" {
		nats = filepath.Join("testdata", "nats")
	}
	sub, err := loader.Load(nats)
	require.NoError(t, err)
	c.SetDependencies(append(slices.DeleteFunc(c.Dependencies(), func(d *chart.Chart) bool { return d.Name() == "nats" }), sub)...)
	return c
}

// values reads a file of values of the chart.
func values(t *testing.T, name string) map[string]any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(chartDir, "ci", name+".yaml"))
	require.NoError(t, err)
	read, err := chartutil.ReadValues(content)
	require.NoError(t, err)
	return read
}

// render does what `helm template` does, and returns the files that it makes, without those that have nothing in them.
func render(t *testing.T, given map[string]any) (map[string]string, error) {
	t.Helper()
	c := load(t)
	if err := chartutil.ProcessDependencies(c, given); err != nil {
		return nil, err
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.34.0", Major: "1", Minor: "34"}
	all, err := chartutil.ToRenderValues(c, given, options, capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	for name, content := range files {
		if strings.TrimSpace(content) == "" || filepath.Ext(name) == ".tpl" {
			delete(files, name)
		}
	}
	return files, nil
}

// object is one object of what was rendered.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`

	text string
}

// into reads all of the object into something of the type of its kind; a field that the type does not have is an error.
func (o object) into(t *testing.T, target any) {
	t.Helper()
	require.NoError(t, yaml.UnmarshalStrict([]byte(o.text), target), "%s %s:\n%s", o.Kind, o.Metadata.Name, o.text)
}

// part is the service that the object is of.
func (o object) part() string { return o.Metadata.Labels["app.kubernetes.io/component"] }

// objects returns what our templates make of the values, without the chart of NATS.
func objects(t *testing.T, given map[string]any) []object {
	t.Helper()
	files, err := render(t, given)
	require.NoError(t, err)
	var found []object
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range files {
			if !yield(name) {
				return
			}
		}
	})
	for _, name := range names {
		if filepath.Ext(name) != ".yaml" || strings.Contains(name, "/charts/") {
			continue
		}
		documents := releaseutil.SplitManifests(files[name])
		keys := make([]string, 0, len(documents))
		for key := range documents {
			keys = append(keys, key)
		}
		slices.SortFunc(keys, func(a, b string) int { return number(t, a) - number(t, b) })
		for _, key := range keys {
			o := object{text: documents[key]}
			require.NoError(t, yaml.Unmarshal([]byte(o.text), &o), "%s:\n%s", name, o.text)
			if o.Kind != "" {
				found = append(found, o)
			}
		}
	}
	require.NotEmpty(t, found)
	return found
}

// number returns the place of a document in its file.
func number(t *testing.T, key string) (n int) {
	t.Helper()
	_, err := fmt.Sscanf(key, "manifest-%d", &n)
	require.NoError(t, err)
	return n
}

// of returns the objects of a kind, read strictly.
func of[T any](t *testing.T, all []object, kind string) []T {
	t.Helper()
	var found []T
	for _, o := range all {
		if o.Kind == kind {
			var one T
			o.into(t, &one)
			found = append(found, one)
		}
	}
	return found
}

// set puts a value into a tree of values at a path such as services.embedder.replicas, and returns the tree.
func set(tree map[string]any, path string, value any) map[string]any {
	keys := strings.Split(path, ".")
	at := tree
	for _, key := range keys[:len(keys)-1] {
		next, is := at[key].(map[string]any)
		if !is {
			next = map[string]any{}
			at[key] = next
		}
		at = next
	}
	at[keys[len(keys)-1]] = value
	return tree
}

// Every file of values beside the chart is one of those that are tested.
func TestEveryFileOfValuesIsTested(t *testing.T) {
	t.Parallel()
	var found []string
	require.NoError(t, filepath.WalkDir(filepath.Join(chartDir, "ci"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, strings.TrimSuffix(filepath.Base(path), ".yaml"))
		}
		return err
	}))
	require.ElementsMatch(t, valueFiles(), found)
}

// What the chart makes of the examples is in the repository, so that a change of it is seen: `GOWORK=off go test -run TestGolden -update` in this folder.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, name := range valueFiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text bytes.Buffer
			for _, o := range objects(t, values(t, name)) {
				fmt.Fprintf(&text, "---\n%s\n", strings.TrimSpace(o.text))
			}
			golden := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				require.NoError(t, os.WriteFile(golden, text.Bytes(), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), text.String(), "renew it with -update, and look at what changes")
		})
	}
}
