package keyring_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// world is a ring, a clock and a log.
type world struct {
	*keyring.Ring

	t   *testing.T
	now time.Time
	log bytes.Buffer
}

// newWorld makes the ring of provider a.
func newWorld(t *testing.T, change func(*keyring.Options), list ...providers.Key) *world {
	t.Helper()
	w := &world{t: t, now: time.Unix(1_000_000_000, 0)}
	o := keyring.Options{Logger: slog.New(slog.NewTextHandler(&w.log, nil)), Random: func() float64 { return 0.5 }}
	if change != nil {
		change(&o)
	}
	var err error
	w.Ring, err = keyring.New("a", list, o)
	require.NoError(t, err)
	return w
}

// keys makes keys whose names are their contents.
func keys(names ...string) []providers.Key {
	var list []providers.Key
	for _, name := range names {
		list = append(list, providers.Key{Name: name, Value: secret.NewValue(name)})
	}
	return list
}

// take takes a turn in a request of its own.
func (w *world) take(model string) (keyring.Turn, *keyring.Blocked) {
	use := w.Use()
	return use.Take(model, w.now)
}

// try makes an attempt that takes a millisecond and ends so, and returns the content of the key; it is empty when there is no turn.
func (w *world) try(model string, f *llm.Fault) string {
	t, why := w.take(model)
	if why != nil {
		return ""
	}
	w.now = w.now.Add(time.Millisecond)
	t.End(w.t.Context(), f, w.now)
	return t.Key().Reveal()
}

// after lets time pass.
func (w *world) after(d time.Duration) { w.now = w.now.Add(d) }

// until is how long a model cannot be asked.
func (w *world) until(model string) time.Duration { return w.Available(model, w.now).Until.Sub(w.now) }

// status is the fault of an HTTP status.
func status(code int, reasons ...string) *llm.Fault {
	return llm.Failure{Provider: "a", Status: code, Reasons: reasons}.Fault()
}

// asks is the fault of an HTTP status with a time.
func (w *world) asks(code int, d time.Duration) *llm.Fault {
	f := status(code)
	f.Until = w.now.Add(d)
	return f
}

// vault is where a live key comes from.
type vault struct {
	mu        sync.Mutex
	now, next string
	asked     int
	takes     time.Duration
}

// live makes a live key.
func live(v *vault) providers.Key { return providers.Key{Name: "live", Value: secret.Live(v)} }

// Current implements [secret.Source].
func (v *vault) Current() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// Renew implements [secret.Source].
func (v *vault) Renew(_ context.Context, refused string) {
	<-time.After(v.takes)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now == refused {
		v.asked++
		v.now = v.next
	}
}

// rotate changes the content: what is known of it at once, or what is found when it is asked for.
func (v *vault) rotate(to string, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = to
	if known {
		v.now = to
	}
}
