package services_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher"
)

// The secret of the endpoint that the settings describe is rotated while webhooks are sent. From then on they are signed with it,
// and with the one before; none is sent twice, and each is signed with one that the receiver knows.
func TestTheSecretOfWebhooksIsRotated(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	before, err := webhook.New(first)
	require.NoError(t, err)
	after, err := webhook.New(second)
	require.NoError(t, err)
	var mu sync.Mutex
	unsigned, received := 0, map[string]int{}
	rotated := make(chan struct{})
	var once sync.Once
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender went away
		}
		mu.Lock()
		defer mu.Unlock()
		received[r.Header.Get("Webhook-Id")]++
		if before.Verify(r.Header, body) != nil {
			unsigned++
		}
		if after.Verify(r.Header, body) == nil {
			once.Do(func() { close(rotated) })
		}
	}))
	t.Cleanup(receiver.Close)
	c.run(t, service.Define(events.ServiceDispatcher, "delivers webhooks", dispatcher.New), map[string]string{
		"WEBHOOK_URL": receiver.URL, "WEBHOOK_SECRET": "secret:openai_api_key", "WEBHOOK_ALLOW_LOOPBACK": "true", "WEBHOOK_EVENTS": "custom.>",
		"MLSDM_SECRET_REFRESH": "1h",
	})
	c.runSecretd(t, map[string]string{"SECRETD_ALLOW": "openai_api_key"})
	arrived := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(received)
	}

	conn, err := client.Connect(t.Context(), c.URL())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	ctx, stop := context.WithCancel(t.Context())
	published := make(chan int)
	go func() {
		n := 0
		defer func() { published <- n }()
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			if _, err := conn.PublishEvent(context.WithoutCancel(ctx), events.Event{
				ID: "n-" + strconv.Itoa(n), Source: "/test", Type: "custom.deploy", Time: time.Now().UTC(),
				DataContentType: events.ContentTypeJSON, Data: []byte(`{}`),
			}); err != nil {
				t.Errorf("publishing: %v", err)
			}
			n++
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}()
	require.Eventually(t, func() bool { return arrived() > 20 }, patience, time.Millisecond)
	c.change(func() { c.stored = second })
	c.push(t)
	select {
	case <-rotated:
	case <-time.After(patience):
		t.Error("nothing is signed with the new secret")
	}
	stop()
	n := <-published
	require.Eventually(t, func() bool { return arrived() == n }, patience, 10*time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	require.Zero(t, unsigned)
	for id, times := range received {
		require.Equal(t, 1, times, id)
	}
	c.requireQuiet(t)
}
