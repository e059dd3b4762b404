package stack_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// keyed is a provider of models that takes some keys.
type keyed struct {
	url string

	mu      sync.Mutex
	takes   []string
	seen    map[string]int // by key, how often it came
	refused int
}

func newKeyed(t *testing.T, takes string) *keyed {
	t.Helper()
	k := &keyed{takes: []string{takes}, seen: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		k.mu.Lock()
		k.seen[key]++
		taken := slices.Contains(k.takes, key)
		if !taken {
			k.refused++
		}
		k.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if !taken {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = w.Write([]byte(`{"data":[{"index":0,"embedding":[1,0]}]}`)) // a client that has gone is no concern of this test
	}))
	t.Cleanup(server.Close)
	k.url = server.URL
	return k
}

// came returns how often a key came.
func (k *keyed) came(key string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen[key]
}

// refusals is how often a key came that is not taken.
func (k *keyed) refusals() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refused
}

func (k *keyed) take(keys ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.takes = keys
}

// replace puts a file in the place of another in one step, as who rotates a mounted secret does.
func replace(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".next", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".next", path))
}

// Settings refer to a secret that secretd, which starts last, reads from a file, on a bus where everybody has his own rights only.
func TestSettingsReferToSecrets(t *testing.T) {
	t.Parallel()
	const first, second, third, fourth = "sk-canary31337-1", "sk-canary31337-2", "sk-canary31337-3", "sk-canary31337-4"
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	file, rules := filepath.Join(dir, "key"), filepath.Join(dir, "secrets.yaml")
	replace(t, file, first+"\n")
	require.NoError(t, os.WriteFile(rules, []byte("secrets:\n  model_key: [\"file:"+file+"\"]\npolicy:\n  embedder: [model_key]\n  generator: [model_key]\n"), 0o600))
	provider := newKeyed(t, first)
	settings := map[string]string{
		"OPENAI_API_KEY": "secret:model_key", "OPENAI_BASE_URL": provider.url, "CACHE_MEMORY_MB": "0",
		"SECRETD_CONFIG": rules, "SECRETD_FILE_ROOTS": dir,
	}
	o := options(t)
	o.Source = service.Source{Lookup: func(name string) (string, bool) {
		value, ok := settings[name]
		return value, ok
	}}
	s := start(t, o)
	c, err := client.Connect(t.Context(), s.URL(), client.Caller("shop"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	ask := func() {
		t.Helper()
		_, err := c.Embed(t.Context(), events.EmbeddingsRequest{Model: "openai/m", Input: []string{"a text"}})
		require.NoError(t, err)
	}
	ask()

	// secretd sees that the file has changed, and says so.
	told := func(before, after string) {
		t.Helper()
		provider.take(before, after)
		replace(t, file, after+"\n")
		require.Eventually(t, func() bool {
			ask()
			return provider.came(after) > 0
		}, 30*time.Second, 10*time.Millisecond)
	}
	told(first, second)
	require.Zero(t, provider.refusals())

	// Nobody has seen anything yet when the provider takes the next key only.
	replace(t, file, third+"\n")
	provider.take(third)
	ask()
	ask()
	require.NoError(t, s.Restart(t.Context(), events.ServiceEmbedder))
	ready(t, s)
	told(third, fourth)
}
