package bounded_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

func TestClient(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/largest":
			_, _ = io.WriteString(w, strings.Repeat("x", bounded.MaxAnswer))
		case "/too-large":
			_, _ = io.WriteString(w, strings.Repeat("x", bounded.MaxAnswer+1))
		default:
			http.Redirect(w, r, "/largest", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	get := func(path string) (int, []byte, error) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		require.NoError(t, err)
		resp, err := bounded.Client().Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, body, err
	}
	_, body, err := get("/largest")
	require.NoError(t, err)
	require.Len(t, body, bounded.MaxAnswer)
	_, _, err = get("/too-large")
	require.Error(t, err)
	status, _, err := get("/redirect")
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, status)
}
