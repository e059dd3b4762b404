package openai_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// rotating is a key that is another one when it is asked for anew.
type rotating struct {
	mu        sync.Mutex
	now, next string
	asked     int
}

// Current implements [secret.Source].
func (r *rotating) Current() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// Renew implements [secret.Source].
func (r *rotating) Renew(context.Context, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	r.now = r.next
}

// become is what rotation does without anybody asking.
func (r *rotating) become(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now, r.next = key, key
}

// keyed returns a server that wants [llmtest.Key], and a client whose key comes from source.
func keyed(t *testing.T, source *rotating) (*llmtest.Server, *openai.Client) {
	t.Helper()
	return connect(t, func(c *openai.Config) { c.Key = secret.Live(source); c.Attempts = llm.Attempts{} })
}

// sent returns the Authorization headers that a server got.
func sent(s *llmtest.Server) []string {
	var headers []string
	for _, r := range s.Requests() {
		headers = append(headers, r.Header.Get("Authorization"))
	}
	return headers
}

func TestTheKeyIsReadForEveryRequest(t *testing.T) {
	t.Parallel()
	source := &rotating{}
	source.become("")
	server, client := keyed(t, source)
	source.become(" " + llmtest.Key + "\n") // as a file may have it
	_, err := embed(t, client, "a")
	require.NoError(t, err)
	server.Script(llmtest.Answer(http.StatusOK, `{"data":[{"index":0,"embedding":[1]}]}`))
	source.become("another")
	_, err = embed(t, client, "a")
	require.NoError(t, err)
	require.Equal(t, []string{"Bearer " + llmtest.Key, "Bearer another"}, sent(server))
	require.Zero(t, source.asked)
}

// A key that was replaced meanwhile costs no request.
func TestARefusedKeyIsAskedForAnew(t *testing.T) {
	t.Parallel()
	ask := func(c *openai.Client) error {
		_, err := embed(t, c, "a")
		return err
	}
	source := &rotating{now: "old", next: llmtest.Key}
	server, client := keyed(t, source)
	require.NoError(t, ask(client))
	require.NoError(t, ask(client))
	require.Equal(t, []string{"Bearer old", "Bearer " + llmtest.Key, "Bearer " + llmtest.Key}, sent(server))
	require.Equal(t, 1, source.asked)

	source = &rotating{now: "old", next: "old"}
	server, client = keyed(t, source)
	err := ask(client)
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
	require.Equal(t, "acme", events.AsError(err).Provider)
	require.Equal(t, []string{"Bearer old"}, sent(server), "the same key is not worth a try")

	source = &rotating{now: "old", next: "as bad"}
	server, client = keyed(t, source)
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(ask(client)))
	require.Empty(t, server.Requests()[1:], "no key holds a space")

	source = &rotating{now: "old", next: "as-bad"}
	server, client = keyed(t, source)
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(ask(client)))
	require.Len(t, server.Requests(), 2, "once")
}

func TestAPlainKeyIsNotAskedForAnew(t *testing.T) {
	t.Parallel()
	server, client := connect(t, func(c *openai.Config) { c.Key = secret.NewValue("old") })
	_, err := embed(t, client, "a")
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
	require.Len(t, server.Requests(), 1)
}

func TestAKeyThatWasTakenAway(t *testing.T) {
	t.Parallel()
	source := &rotating{}
	server, client := keyed(t, source)
	_, err := embed(t, client, "a")
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
	require.ErrorContains(t, err, "there is no API key now")
	require.Empty(t, server.Requests(), "nothing is sent without it")
	source.become("two\nlines")
	_, err = embed(t, client, "a")
	require.ErrorContains(t, err, "a character that no key has")
	require.NotContains(t, err.Error(), "lines")
}

// A server may repeat the key that it was sent, which by then is not the current one.
func TestAReplacedKeyIsNeverSeen(t *testing.T) {
	t.Parallel()
	const canary = "sk-canary-of-old"
	source := &rotating{}
	source.become(canary)
	server, client := keyed(t, source)
	echo := func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		source.become("sk-new")
		llmtest.Answer(http.StatusForbidden, fmt.Sprintf(`{"error":{"message":"not with %s"}}`, header))(w, r)
	}
	server.Script(echo)
	_, err := embed(t, client, "a")
	require.ErrorContains(t, err, "not with Bearer [redacted]")
	require.NotContains(t, err.Error(), canary)
	for i := range 10 {
		source.become(fmt.Sprintf("sk-%d", i))
		server.Script(func(w http.ResponseWriter, r *http.Request) {
			llmtest.Answer(http.StatusForbidden, fmt.Sprintf(`{"error":{"message":"not with %s"}}`, r.Header.Get("Authorization")))(w, r)
		})
		_, err = embed(t, client, "a")
		require.ErrorContains(t, err, "[redacted]")
	}
}

// Many requests at the moment of a rotation: none fails.
func TestRotationFailsNoRequest(t *testing.T) {
	t.Parallel()
	source := &rotating{now: "old", next: llmtest.Key}
	_, client := keyed(t, source)
	const requests = 100
	ended := make(chan error, requests)
	for range requests {
		go func() {
			_, err := client.Embed(t.Context(), llm.EmbedRequest{Model: "m", Texts: []string{"a"}})
			ended <- err
		}()
	}
	for range requests {
		require.NoError(t, <-ended)
	}
}
