package fakegithub_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

// get asks the server, and returns the status and the decoded body.
func get(t *testing.T, server http.Handler, path string) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	var body map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	return w.Code, body
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := fakegithub.LoadTemplates(folder)
	require.ErrorIs(t, err, fs.ErrNotExist)

	file := filepath.Join(folder, "workflow_run.completed.payload.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"action": "completed"}`), 0o600))
	_, err = fakegithub.LoadTemplates(folder)
	require.ErrorContains(t, err, "no workflow_run")

	require.NoError(t, os.WriteFile(file, []byte(`{"workflow_run": {"id": 1, "conclusion": "success", "kept": "as it was"}}`), 0o600))
	templates, err := fakegithub.LoadTemplates(folder)
	require.NoError(t, err)
	server, err := fakegithub.New(fakegithub.Options{Templates: templates})
	require.NoError(t, err)
	require.False(t, server.Embedded())
	server.AddRun("failure")
	status, body := get(t, server, "/repos/neuron7x/mlsdm/actions/runs")
	require.Equal(t, http.StatusOK, status)
	run, ok := body["workflow_runs"].([]any)[0].(map[string]any)
	require.True(t, ok)
	require.Equal(t, "as it was", run["kept"])
	require.Equal(t, "failure", run["conclusion"])

	_, err = fakegithub.New(fakegithub.Options{Templates: []json.RawMessage{[]byte(`[]`)}})
	require.Error(t, err)
	_, err = fakegithub.New(fakegithub.Options{Templates: []json.RawMessage{[]byte(`null`)}})
	require.Error(t, err)
}

func TestPaths(t *testing.T) {
	t.Parallel()
	server, err := fakegithub.New(fakegithub.Options{})
	require.NoError(t, err)
	for path, want := range map[string]int{
		"/repos/neuron7x/mlsdm":                                  200,
		"/repos/neuron7x/mlsdm/actions/runs":                     200,
		"/api/v3/repos/neuron7x/mlsdm/actions/runs":              200,
		"/repos/neuron7x/mlsdm/actions/workflows/ci.yml/runs":    200,
		"/repos/neuron7x/mlsdm/actions/workflows/52104/runs":     200,
		"/repos/neuron7x/mlsdm/actions/workflows/other.yml/runs": 404,
		"/repos/neuron7x/other/actions/runs":                     404,
		"/":                                                      404,
	} {
		status, _ := get(t, server, path)
		require.Equal(t, want, status, path)
	}
	_, known := server.Rerun(1, "success")
	require.False(t, known)
}

func Example() {
	server, err := fakegithub.New(fakegithub.Options{Repository: "neuron7x/mlsdm"})
	if err != nil {
		fmt.Println(err)
		return
	}
	api := httptest.NewServer(server) // this is what GITHUB_API_URL points to
	defer api.Close()
	failed := server.AddRun("failure")
	again, _ := server.Rerun(failed.ID, "success")
	fmt.Println(failed.Conclusion, again.Conclusion, again.Attempt)
	// Output: failure success 2
}
