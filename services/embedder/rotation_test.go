package embedder_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder"
)

// vault has a key that is rotated; who has not heard of it has the one before, until he asks.
type vault struct {
	mu          sync.Mutex
	right, told string
}

// Current implements [secret.Source].
func (v *vault) Current() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.told
}

// Renew implements [secret.Source].
func (v *vault) Renew(context.Context, string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = v.right
}

// rotate makes another key the right one.
func (v *vault) rotate(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.right = key
}

// is reports whether a key is the right one.
func (v *vault) is(key string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.right == key
}

// TestKeysAreRotatedWhileRequestsCome: none of them fails.
func TestKeysAreRotatedWhileRequestsCome(t *testing.T) {
	t.Parallel()
	const clients, rotations, each = 8, 5, 4
	keys := &vault{right: "key-0", told: "key-0"}
	r := newRig(t)
	p := r.model(t, "p")
	p.answer(func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		if keys.is(a.Key) {
			return false
		}
		refuse(w, a, http.StatusUnauthorized, "Incorrect API key provided")
		return true
	})
	cfg, err := configure(t, map[string]string{"OPENAI_BASE_URL": p.URL + "/v1"})
	require.NoError(t, err)
	cfg.OpenAIKey = secret.Live(keys)
	e, err := embedder.New(cfg, service.Deps{
		Name: "embedder", Version: "1.0.0", Bus: r.Server.Connect(t, "embedder"), Logger: bustest.Logger(t), Health: health.NewChecks(),
		DrainTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	r.Run(t, "embedder", e)
	connected, err := client.Connect(t.Context(), r.Server.URL())
	require.NoError(t, err)
	t.Cleanup(connected.Close)
	for round := range rotations {
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				for n := range each {
					if i == 0 && n == each/2 {
						keys.rotate(fmt.Sprintf("key-%d", round+1))
					}
					text := fmt.Sprintf("text %d of %d in %d", n, i, round)
					_, err := connected.Embed(t.Context(), events.EmbeddingsRequest{Model: "openai/m", Input: events.TextInput{text}})
					if err != nil {
						t.Errorf("%s: %v", text, err)
					}
				}
			})
		}
		all.Wait()
	}
	require.NotEqual(t, "key-0", p.last().Key)
}
