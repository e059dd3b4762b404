package generator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator"
)

// twoProviders are a and b, each a server of the test, and an alias of both that begins with a.
const twoProviders = `
providers:
  a: {protocol: openai, base_url: "$a", keys: ["$key"]}
  b: {protocol: openai, base_url: "$b", keys: ["$key"]}
models:
  fast: {targets: [a/m, b/m], retries: 0}
`

// rig is a bus, providers, and generators that a configuration file describes.
type rig struct {
	*doortest.Street

	servers map[string]*llmtest.Server
	dir     string
	log     logged
	spans   *genaitest.Spans
	content bool // what is said is recorded
}

// newRig starts a bus; generators come with [rig.start].
func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Street: doortest.Start(t), servers: make(map[string]*llmtest.Server), dir: t.TempDir(), spans: genaitest.New(t)}
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "key"), []byte(llmtest.Key+"\n"), 0o600))
	return r
}

// serve starts a bus and one generator with a configuration file.
func serve(t *testing.T, file string, environment ...string) *rig {
	t.Helper()
	r := newRig(t)
	r.start(t, file, environment...)
	return r
}

// server is the provider's server of that name.
func (r *rig) server(t testing.TB, name string) *llmtest.Server {
	t.Helper()
	if r.servers[name] == nil {
		r.servers[name] = llmtest.NewServer(t)
	}
	return r.servers[name]
}

// write writes a configuration file, in which $key is a reference to the key that servers take, and any other $name the base URL
// of the server of that name.
func (r *rig) write(t testing.TB, text string) string {
	t.Helper()
	text = os.Expand(text, func(name string) string {
		if name == "key" {
			return "file:" + filepath.Join(r.dir, "key")
		}
		return r.server(t, name).URL
	})
	path := filepath.Join(r.dir, events.NewID()+".yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// start runs one more generator; environment is NAME=value.
func (r *rig) start(t *testing.T, file string, environment ...string) {
	t.Helper()
	all := map[string]string{"GENERATOR_CONFIG": r.write(t, file)}
	for _, pair := range environment {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	instance, err := unit().Load(service.Source{Lookup: func(name string) (string, bool) {
		value, ok := all[name]
		return value, ok
	}})
	require.NoError(t, err)
	connected := r.Server.ConnectTraced(t, "generator", r.spans.Provider)
	logger := slog.New(slog.NewJSONHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.Run(t, "generator", running(func(ctx context.Context) error {
		return instance.Run(ctx, service.Deps{
			Bus: connected, Tracer: r.spans.Provider, CaptureContent: r.content, Logger: logger, Health: health.NewChecks(), DrainTimeout: 5 * time.Second,
		})
	}))
}

// replicas waits until so many generators answer.
func (r *rig) replicas(t testing.TB, n int) {
	t.Helper()
	conn := r.Server.Conn(t)
	require.Eventually(t, func() bool {
		sub, err := conn.SubscribeSync(conn.NewInbox())
		require.NoError(t, err)
		defer func() { require.NoError(t, sub.Unsubscribe()) }()
		require.NoError(t, conn.PublishRequest("$SRV.PING."+events.MicroName("generator"), sub.Subject, nil))
		for range n {
			if m, err := sub.NextMsg(time.Second); err != nil || len(m.Data) == 0 {
				return false
			}
		}
		return true
	}, doortest.Patience, time.Millisecond)
}

// unit is the generator as its command runs it.
func unit() service.Unit {
	return service.Define(events.ServiceGenerator, generator.Summary, generator.New)
}

// running is a [doortest.Runner].
type running func(context.Context) error

// Run implements [doortest.Runner].
func (f running) Run(ctx context.Context) error { return f(ctx) }

// as connects a client under a caller's name.
func (r *rig) as(t testing.TB, caller string) *client.Client {
	t.Helper()
	c, err := client.Connect(t.Context(), r.Server.URL(), client.Caller(caller))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// ask asks with headers, which are name and value in turn.
func (r *rig) ask(t testing.TB, body string, headers ...string) doortest.Message {
	t.Helper()
	header := make(map[string][]string)
	for i := 0; i+1 < len(headers); i += 2 {
		header[headers[i]] = []string{headers[i+1]}
	}
	return r.AskWith(t, interactive, header, []byte(body))
}

// text joins what a stream says, whose messages must be no errors.
func text(t testing.TB, messages []doortest.Message) string {
	t.Helper()
	var said strings.Builder
	for _, m := range messages {
		require.Nil(t, m.Err())
		for _, c := range doortest.JSON[events.ChatChunk](t, m).Choices {
			said.WriteString(c.Delta.Content)
		}
	}
	return said.String()
}

// say is the data of a stream's next chunk.
func say(content string) string {
	return `data: {"id":"1","choices":[{"index":0,"delta":{"content":"` + content + `"}}]}` + "\n\n"
}

// fails is a provider that fails with a status; headers are written "Name: value".
func fails(status int, header ...string) http.HandlerFunc {
	return llmtest.Answer(status, `{"error":{"message":"not now","type":"x"}}`, header...)
}

// bodyOf is the i-th request that a server got.
func bodyOf(t testing.TB, s *llmtest.Server, i int) map[string]any {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal(s.Requests()[i].Body, &body))
	return body
}

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// fullAnswer is an answer in one piece.
func fullAnswer(content string) http.HandlerFunc {
	return llmtest.Answer(http.StatusOK, `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"`+
		content+`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":3,"total_tokens":4}}`)
}
