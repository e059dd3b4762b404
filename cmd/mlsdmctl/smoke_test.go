package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// All of it works on a whole stack, and each thing is told of.
func TestSmoke(t *testing.T) {
	t.Parallel()
	h := newTraced(t, events.ServiceCIWatch, events.ServiceDispatcher, events.ServiceEmbedder, events.ServiceGenerator, events.ServiceSecretd)
	out, errs, code := h.ctl(t.Context(), "smoke")
	require.Zero(t, code, "%s%s", out, errs)
	for _, step := range smokeSteps() {
		require.Contains(t, out, "ok    "+step.check)
	}
	require.NotContains(t, out, "trace")

	// A Jaeger that gets the trace in pieces.
	var mu sync.Mutex
	asked := map[string]int{}
	jaeger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path]++
		switch asked[r.URL.Path] {
		case 1:
			w.WriteHeader(http.StatusNotFound)
		case 2:
			_, _ = io.WriteString(w, `{"data":[{"spans":[{}],"processes":{"p1":{"serviceName":"mlsdm-embedder"}}}]}`)
		default:
			_, _ = io.WriteString(w, `{"data":[{"spans":[{},{}],"processes":{"p1":{"serviceName":"mlsdm-generator"},"p2":{"serviceName":"mlsdm-embedder"}}}]}`)
		}
	}))
	t.Cleanup(jaeger.Close)
	out, errs, code = h.ctl(t.Context(), "smoke", "--json", "--jaeger", jaeger.URL+"/")
	require.Zero(t, code, "%s%s", out, errs)
	var got struct{ Findings []Finding }
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got.Findings, len(smokeSteps())+1)
	last := got.Findings[len(smokeSteps())]
	require.Equal(t, "trace", last.Check)
	require.Regexp(t, `^2 spans of mlsdm-embedder, mlsdm-generator: `+jaeger.URL+`/trace/[0-9a-f]{32}$`, last.Says)
	require.Len(t, asked, 1)
}

// Without services each thing fails, is named, and makes the exit status 1.
func TestSmokeWithoutServices(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	out, errs, code := atServer(t.Context(), s, "", "smoke", "--timeout", "3s")
	require.Equal(t, 1, code, "%s%s", out, errs)
	for _, step := range smokeSteps() {
		want := "FAIL  "
		if step.check == "event" || step.check == "secrets" { // the stream is there; and nobody is asked for secrets under no name
			want = "ok    "
		}
		require.Contains(t, out, want+step.check)
	}
	require.Contains(t, errs, "something is wrong")
}

func TestSmokeUsage(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	for _, wrong := range []string{"localhost:16686", "ftp://x", "http://", "::"} {
		_, errs, code := atServer(t.Context(), s, "", "smoke", "--jaeger", wrong)
		require.Equal(t, 2, code, errs)
		require.Contains(t, errs, "http://localhost:16686")
	}
	out, _, code := atServer(t.Context(), s, "", "smoke", "--help")
	require.Zero(t, code)
	require.True(t, strings.Contains(out, "--jaeger") && strings.Contains(out, "mlsdmctl smoke --json"))
}
