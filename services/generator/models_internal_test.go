package generator

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// slow is a provider that takes a second to tell its models.
type slow struct {
	mu    sync.Mutex
	calls int
	err   error
}

// Models implements [llm.Lister].
func (s *slow) Models(ctx context.Context, _ secret.Value) ([]string, error) {
	s.mu.Lock()
	s.calls++
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
		return []string{"m"}, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// However many ask at the same time, the provider is asked once; and who has no time takes the answer from nobody.
func TestModelsAreAskedForOnce(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{nil, errors.New("no")} {
		synctest.Test(t, func(t *testing.T) {
			m, s := &models{}, &slow{err: failure}
			p := providers.Provider{Name: "a"}
			hurried, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			var asking sync.WaitGroup
			asking.Go(func() {
				if m.askOne(hurried, p, s).err == nil {
					t.Error("it had no time")
				}
			})
			synctest.Wait()
			for range 50 {
				asking.Go(func() {
					if got := m.askOne(t.Context(), p, s); len(got.names) != 1 || !errors.Is(got.err, failure) {
						t.Errorf("got %v", got)
					}
				})
			}
			asking.Wait()
			require.Equal(t, failure, m.askOne(hurried, p, s).err, "what is known needs no time")
			require.Equal(t, 1, s.calls)
			<-time.After(listFor)
			m.askOne(t.Context(), p, s)
			require.Equal(t, 2, s.calls)
		})
	}
}

// broken is a provider whose adapter panics.
type broken struct{}

// Models implements [llm.Lister].
func (broken) Models(context.Context, secret.Value) ([]string, error) { panic("adapter") }

// TestPanicOfALister: it ends neither the process nor the list of the others.
func TestPanicOfALister(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := &models{log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 2 { // which is remembered for a while
		got := m.askOne(t.Context(), providers.Provider{Name: "a"}, broken{})
		require.ErrorContains(t, got.err, "asking for the models of a failed")
		require.Empty(t, got.names)
	}
	require.Equal(t, 1, strings.Count(log.String(), "panic=adapter"))
}
