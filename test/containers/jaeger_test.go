//go:build containers

package containers_test

import (
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
)

// jaegerModels is a model whose first provider fails.
const jaegerModels = `
providers:
  bad: {protocol: openai, base_url: "$bad/v1", keys: ["env:OPENAI_API_KEY"]}
  good: {protocol: openai, base_url: "$good/v1", keys: ["env:OPENAI_API_KEY"]}
models:
  fast: {targets: [bad/m, good/m], retries: 0}
`

// serveContainers serves a handler where all containers reach it, whatever their network is.
func serveContainers(t *testing.T, handler http.Handler) (url string) {
	t.Helper()
	bridge := strings.TrimSpace(docker(t, "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge"))
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(bridge, "0"))
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(handler)
	require.NoError(t, server.Listener.Close())
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// jaegerTrace is what Jaeger's query API says of a trace.
type jaegerTrace struct {
	Data []struct {
		Spans []jaegerSpan `json:"spans"`
	} `json:"data"`
}

type jaegerSpan struct {
	ID         string `json:"spanID"`
	Name       string `json:"operationName"`
	References []struct {
		Type string `json:"refType"`
		Span string `json:"spanID"`
	} `json:"references"`
	Tags []struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	} `json:"tags"`
}

// tag is a tag of a span; nil without it.
func (s jaegerSpan) tag(key string) any {
	for _, tag := range s.Tags {
		if tag.Key == key {
			return tag.Value
		}
	}
	return nil
}

// TestJaegerShowsTheWholeJourney: of a request to the stack as it comes, Jaeger has one trace: what the broker stored, two providers of which
// the first failed, the event about it, and three attempts at a webhook of which the last was taken. It is the story that a test without
// containers holds against its golden file.
func TestJaegerShowsTheWholeJourney(t *testing.T) {
	t.Parallel()
	bad := &llmtest.Server{}
	bad.Script(llmtest.Answer(http.StatusInternalServerError, `{"error":{"message":"no"}}`))
	addresses := map[string]string{"bad": serveContainers(t, bad), "good": serveContainers(t, &llmtest.Server{})}
	config := t.TempDir()
	require.NoError(t, os.Chmod(config, 0o755)) // the container's user is another
	text := os.Expand(jaegerModels, func(name string) string { return addresses[name] })
	require.NoError(t, os.WriteFile(filepath.Join(config, "generator.yaml"), []byte(text), 0o644))
	var tries atomic.Int32
	receiver := serveContainers(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if tries.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	s := startStack(t, stack{environment: []string{
		"GENERATOR_CONFIG_DIR=" + config, "GENERATOR_CONFIG=/etc/mlsdm/generator/generator.yaml", "OPENAI_API_KEY=" + llmtest.Key,
		"WEBHOOK_URL=" + receiver + "/hook", "WEBHOOK_SECRET=a secret", "WEBHOOK_EVENTS=request.processed", "WEBHOOK_ALLOW_HTTP=true",
		"WEBHOOK_ALLOW_NETWORKS=172.16.0.0/12,192.168.0.0/16", "WEBHOOK_RETRY=50ms,50ms,50ms",
	}})
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	js, err := jetstream.New(s.connect(t))
	require.NoError(t, err)
	_, err = js.PublishMsg(t.Context(), &nats.Msg{
		Subject: "mlsdm.as.client.requests.generate", Data: []byte(`{"model":"fast","prompt":"hello"}`),
		Header: nats.Header{"Traceparent": {"00-" + trace + "-" + parent + "-01"}, "Nats-Msg-Id": {"order-1"}, "Mlsdm-Request-Id": {"order-1"}},
	})
	require.NoError(t, err)

	want := storyOf(t)
	url := "http://" + s.port(t, "jaeger", "16686") + "/api/traces/" + trace
	var spans []jaegerSpan
	for deadline := time.Now().Add(time.Minute); ; {
		spans = askJaeger(t, url)
		if slices.Equal(want, namesOf(spans)) || time.Now().After(deadline) {
			break
		}
		<-time.After(200 * time.Millisecond)
	}
	require.Equal(t, want, namesOf(spans))

	ids := map[string]bool{parent: true}
	for _, span := range spans {
		ids[span.ID] = true
	}
	statuses := map[string][]any{}
	for _, span := range spans {
		require.NotEmpty(t, span.References, "%s has no parent", span.Name)
		require.True(t, ids[span.References[0].Span], "the parent of %s is in the trace", span.Name)
		if status := span.tag("http.response.status_code"); status != nil {
			statuses[span.Name] = append(statuses[span.Name], status)
		}
	}
	require.ElementsMatch(t, []any{500.0, 200.0}, statuses["POST /v1/chat/completions"], "one provider failed, one did not")
	require.ElementsMatch(t, []any{503.0, 503.0, 200.0}, statuses["POST"], "two attempts failed, the third did not")
}

// storyOf are the names of the spans of the story, but for that of who asks, which is not sent here.
func storyOf(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^ *([^ .].*?)  \[`).FindAllStringSubmatch(read(t, "test/trace/testdata/story.txt"), -1) {
		names = append(names, m[1])
	}
	require.Equal(t, "order", names[0])
	names = names[1:]
	slices.Sort(names)
	return names
}

// askJaeger returns the spans of a trace; none if it is not known.
func askJaeger(t *testing.T, url string) []jaegerSpan {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	if res.StatusCode == http.StatusNotFound {
		return nil
	}
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", body)
	var got jaegerTrace
	require.NoError(t, json.Unmarshal(body, &got), "%s", body)
	byID := map[string]jaegerSpan{}
	for _, data := range got.Data {
		for _, span := range data.Spans {
			byID[span.ID] = span
		}
	}
	return slices.Collect(maps.Values(byID))
}

func namesOf(spans []jaegerSpan) []string {
	names := make([]string, len(spans))
	for i, span := range spans {
		names[i] = span.Name
	}
	slices.Sort(names)
	return names
}
