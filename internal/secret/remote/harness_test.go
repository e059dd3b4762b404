package remote_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

const canary = "sk-canary31337"

// keeper is who has secrets, as a service on a bus or to be asked directly.
type keeper struct {
	mu      sync.Mutex
	values  map[string]remote.Answer
	fresh   map[string]remote.Answer // what who wants no cache is told, and what all are told from then on
	err     error
	slow    time.Duration
	asked   []remote.Question
	signer  *seal.Signer
	distort func(*events.SecretResponse)
}

func newKeeper(t *testing.T, values map[string]string) *keeper {
	t.Helper()
	signer, err := seal.MakeSigner()
	require.NoError(t, err)
	k := &keeper{values: map[string]remote.Answer{}, fresh: map[string]remote.Answer{}, signer: signer}
	for name, text := range values {
		k.values[name] = answer(text, "1")
	}
	return k
}

// answer is what a store has.
func answer(text, version string) remote.Answer {
	return remote.Answer{Entry: secret.Entry{Value: secret.NewValue(text), Source: "vault", Version: version}}
}

// set changes something.
func (k *keeper) set(change func(k *keeper)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k)
}

// questions returns what was asked, and forgets it.
func (k *keeper) questions() []remote.Question {
	k.mu.Lock()
	defer k.mu.Unlock()
	asked := k.asked
	k.asked = nil
	return asked
}

// Ask implements [remote.Asker].
func (k *keeper) Ask(ctx context.Context, q remote.Question) (remote.Answer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, q)
	if k.slow > 0 {
		slow := k.slow
		k.mu.Unlock()
		select {
		case <-time.After(slow):
		case <-ctx.Done():
		}
		k.mu.Lock()
		if ctx.Err() != nil {
			return remote.Answer{}, ctx.Err()
		}
	}
	if k.err != nil {
		return remote.Answer{}, k.err
	}
	if fresh, ok := k.fresh[q.Name]; ok && q.NoCache {
		delete(k.fresh, q.Name)
		k.values[q.Name] = fresh
	}
	a, ok := k.values[q.Name]
	if !ok {
		return remote.Answer{}, fmt.Errorf("asked: %w", secret.ErrNotFound)
	}
	return a, nil
}

// serve makes the keeper the secretd of a bus, until the test ends or stop is called.
func (k *keeper) serve(t *testing.T, b *bus.Bus) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- b.Serve(ctx, bus.Service{
			Name: "mlsdm-secretd", Version: "1.0.0", Operations: []bus.Operation{{Name: events.OpSecretsGet, Handler: k.handle}},
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

// handle answers one request.
func (k *keeper) handle(ctx context.Context, r *bus.Request) error {
	var req events.SecretRequest
	if err := json.Unmarshal(r.Body, &req); err != nil {
		return err
	}
	to, err := seal.Read(req)
	if err != nil {
		return err
	}
	a, err := k.Ask(ctx, remote.Question{Name: req.Name, NoCache: req.NoCache})
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	reply, err := k.signer.Seal(r.Caller, req.Name, to, seal.Content{
		Value: a.Value, Source: a.Source, Version: a.Version, FetchedAt: a.FetchedAt, Stale: a.Stale,
	})
	if err != nil {
		return err
	}
	if k.distort != nil {
		k.distort(&reply)
	}
	body, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	return r.Respond(body)
}

// within bounds one question of a test.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// log is a log that may be read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// listening waits until somebody answers for secretd.
func listening(t *testing.T, server *bustest.Server) {
	t.Helper()
	nc := server.Conn(t)
	require.Eventually(t, func() bool {
		_, err := nc.Request("$SRV.PING.mlsdm-secretd", nil, time.Second)
		return err == nil
	}, patience, time.Millisecond)
}
