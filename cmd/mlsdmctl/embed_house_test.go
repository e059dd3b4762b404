package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/stack"
	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// soon bounds what must happen, on a machine that has other things to do.
const soon = 60 * time.Second

// numbers is how long the vectors of a house are: those of 3,000 texts are too many for one message.
const numbers = 64

// house is a whole stack with an embedder, and a provider whose model "house" embeds "tN" as [N, 1, 0, …], a hundred texts a call.
type house struct {
	*stack.Stack

	bus *bus.Bus

	mu     sync.Mutex
	asked  int           // texts that were paid for
	gate   chan struct{} // what a call has to pass; nil lets all pass
	refuse int           // HTTP status of all calls; 0 is none
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{}
	provider := httptest.NewServer(http.HandlerFunc(h.answer))
	t.Cleanup(provider.Close)
	path := filepath.Join(t.TempDir(), "embedder.yaml")
	file := fmt.Sprintf("providers:\n  house: {protocol: openai, base_url: %q, models: [m]}\nmodels:\n  house: {targets: [house/m], max_items: 100, normalize: false}\n",
		provider.URL)
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	env := map[string]string{"EMBEDDER_CONFIG": path, "EMBEDDER_DEFAULT_MODEL": "house", "CACHE_MEMORY_MB": "0", "EMBEDDER_MAX_ATTEMPTS": "1"}
	var err error
	h.Stack, err = stack.Start(t.Context(), stack.Options{
		Addr: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "data"), Tracer: noop.NewTracerProvider(),
		Units: slices.DeleteFunc(services.Units(), func(u service.Unit) bool { return u.Name != events.ServiceEmbedder }),
		Source: service.Source{Lookup: func(name string) (string, bool) {
			value, ok := env[name]
			return value, ok
		}},
		Logger: slog.New(slog.DiscardHandler), LoggerFor: func(string) *slog.Logger { return slog.New(slog.DiscardHandler) },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		h.open()
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		require.NoError(t, h.Stop(ctx))
	})
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	require.NoError(t, h.Ready(ctx))
	h.bus, err = bus.Connect(ctx, bus.Config{URLs: []string{h.URL()}}, "test", bus.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.bus.Close(context.WithoutCancel(t.Context()))) })
	return h
}

// answer answers a call as OpenAI does. A call with a text that is no number is refused.
func (h *house) answer(w http.ResponseWriter, r *http.Request) {
	var req struct{ Input []string }
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	gate, refuse := h.gate, h.refuse
	h.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	type item struct {
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	data := make([]item, len(req.Input))
	for i, text := range req.Input {
		n, err := strconv.Atoi(strings.TrimPrefix(text, "t"))
		if err != nil {
			refuse = http.StatusBadRequest
		}
		data[i] = item{Index: i, Embedding: append([]float32{float32(n), 1}, make([]float32, numbers-2)...)}
	}
	w.Header().Set("Content-Type", "application/json")
	if refuse != 0 {
		w.WriteHeader(refuse)
		fmt.Fprint(w, `{"error":{"message":"the house refuses it"}}`)
		return
	}
	h.mu.Lock()
	h.asked += len(req.Input)
	h.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{ // whoever asked may have gone
		"data": data, "usage": map[string]int{"prompt_tokens": len(data), "total_tokens": len(data)},
	})
}

// close lets no call pass but those of open and pass.
func (h *house) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate = make(chan struct{})
}

// open lets all calls pass.
func (h *house) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gate != nil {
		close(h.gate)
		h.gate = nil
	}
}

// pass lets n calls pass.
func (h *house) pass(n int) {
	h.mu.Lock()
	gate := h.gate
	h.mu.Unlock()
	for range n {
		gate <- struct{}{}
	}
}

// deny has all calls answered with a status.
func (h *house) deny(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = status
}

// paid is how many texts were paid for.
func (h *house) paid() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

// ctl runs the command line.
func (h *house) ctl(ctx context.Context, in string, args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	code = h.run(ctx, in, &stdout, &stderr, args...)
	return stdout.String(), stderr.String(), code
}

// run runs the command line with streams of the test's own.
func (h *house) run(ctx context.Context, in string, stdout *bytes.Buffer, stderr io.Writer, args ...string) int {
	return run(ctx, append([]string{"--server", h.URL()}, args...), terminal{in: strings.NewReader(in), out: stdout, err: stderr, lookup: none})
}

// eventually waits until a job has come as far as a test wants it to.
func (h *house) eventually(t *testing.T, id string, far func(known map[string]any) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		out, _, code := h.ctl(t.Context(), "", "job", id, "--json")
		var known map[string]any
		return code == 0 && json.Unmarshal([]byte(out), &known) == nil && far(known)
	}, soon, 20*time.Millisecond)
}

// done is how many texts of a job are done, as it was told.
func done(n int) func(map[string]any) bool {
	return func(known map[string]any) bool { return known["done"] == float64(n) }
}

// liveTerminal is a screen of a command that runs.
type liveTerminal struct{ liveScreen }

// Stat says that it is a terminal.
func (*liveTerminal) Stat() (fs.FileInfo, error) { return device{}, nil }

// waitFor waits until something is shown.
func (l *liveTerminal) waitFor(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(l.String(), text) }, soon, 10*time.Millisecond, "%q is not shown", text)
}

// stored is how many messages a stream holds.
func (h *house) stored(t *testing.T, stream string) uint64 {
	t.Helper()
	n, err := h.bus.StreamMessages(t.Context(), h.bus.Subjects().StreamName(stream))
	require.NoError(t, err)
	return n
}

// texts are "t0" and those behind it, a line each.
func texts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "t%d\n", i)
	}
	return b.String()
}
