package permissions_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// lines is a log that can be looked at while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startServices runs every service as its own user and returns what they log.
func startServices(t *testing.T, s *bustest.Server, environment map[string]string) *lines {
	t.Helper()
	log := &lines{}
	for _, unit := range services.Units() {
		instance, err := unit.Load(service.Source{Lookup: func(name string) (string, bool) {
			value, found := environment[name]
			return value, found
		}})
		require.NoError(t, err)
		logger := slog.New(slog.NewTextHandler(log, nil)).With("service", unit.Name)
		b, err := bus.Connect(t.Context(), s.Config(), unit.Name, bus.Options{Logger: logger, Key: s.Key(t, unit.Name)})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- instance.Run(ctx, service.Deps{Bus: b, Logger: logger}) }()
		t.Cleanup(func() {
			cancel()
			select {
			case err := <-done:
				require.NoError(t, err)
			case <-time.After(2 * patience):
				require.Fail(t, unit.Name+" does not end")
			}
			closing, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			require.NoError(t, b.Close(closing))
			require.NotContains(t, strings.ToLower(log.String()), "permissions violation", "a service tried what it may not")
		})
	}
	admin := s.Connect(t, permissions.Admin)
	require.Eventually(t, func() bool {
		for _, name := range permissions.Services() {
			if _, err := admin.Request(t.Context(), bus.Msg{Subject: "$SRV.PING." + events.MicroName(name)}); err != nil {
				return false
			}
		}
		return true
	}, 2*patience, 20*time.Millisecond, "not all services answer")
	return log
}

// Every service works with its rights and no more, and an application gets from them what it is there for.
func TestEveryServiceWorksOnAClosedBus(t *testing.T) {
	t.Parallel()
	delivered := make(chan string, 64)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { delivered <- r.Header.Get("Webhook-Id") }))
	t.Cleanup(receiver.Close)
	s := bustest.Start(t, bustest.Closed(extra))
	startServices(t, s, map[string]string{
		"WEBHOOK_ALLOW_LOOPBACK": "true", "WEBHOOK_URL": receiver.URL, "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	})
	for _, user := range []string{permissions.Client, extra} {
		c, err := client.New(s.User(t, user), client.Caller(user))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()

		_, err = c.Embed(ctx, events.EmbeddingsRequest{Input: events.TextInput{"hello"}})
		require.NoError(t, err)
		var chunks int
		for _, err := range c.GenerateStream(ctx, events.ChatRequest{Prompt: "hello"}) {
			require.NoError(t, err)
			chunks++
		}
		require.Positive(t, chunks)
		id, err := c.SubmitGenerate(ctx, "", events.ChatRequest{Prompt: "hello"})
		require.NoError(t, err)
		require.NoError(t, c.Result(ctx, id, &events.ChatResponse{}))
		id, err = c.SubmitGenerate(ctx, "", events.ChatRequest{Prompt: "hello there", Stream: true})
		require.NoError(t, err)
		var said strings.Builder
		for chunk, err := range c.Attach(ctx, id) {
			require.NoError(t, err)
			for _, choice := range chunk.Choices {
				said.WriteString(choice.Delta.Content)
			}
		}
		require.Equal(t, "echo: hello there", said.String())
		for _, err := range c.GenerateStream(ctx, events.ChatRequest{Prompt: "and who leaves, cancels"}) {
			require.NoError(t, err)
			break
		}

		seen := make(chan events.Event, 64)
		sub, err := c.Subscribe(ctx, []string{"custom.>"}, func(_ context.Context, ev events.Event) error {
			seen <- ev
			return nil
		})
		require.NoError(t, err)
		published, err := c.PublishData(ctx, "custom.deploy", []byte(`{"by":"`+user+`"}`))
		require.NoError(t, err)
		select {
		case ev := <-seen:
			require.Equal(t, published.ID, ev.ID)
		case <-ctx.Done():
			require.Fail(t, "the event does not come")
		}
		sub.Stop()
		for id := ""; id != published.ID; {
			select {
			case id = <-delivered:
			case <-ctx.Done():
				require.Fail(t, "the webhook does not come")
			}
		}
		require.NoError(t, c.Call(ctx, events.OpEndpointsList, nil, &events.EndpointsList{}))
		require.NoError(t, c.Call(ctx, events.OpDeliveriesList, events.DeliveriesListRequest{}, &events.DeliveriesList{}))
		_, err = c.Secret(ctx, "openai_api_key")
		require.Equal(t, events.CodePermissionDenied, events.CodeOf(err), "secretd answers, and its policy allows nothing")
		err = c.Call(ctx, events.OpCIStatus, nil, nil)
		require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err), "ciwatch answers, and has no repository")
	}
}

// A user with a durable handler of its own name.
func TestAnApplicationHandlesEventsDurably(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	c, err := client.New(s.User(t, permissions.Client), client.Caller(permissions.Client))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	handled := make(chan string, 1)
	mux := &client.Mux{}
	mux.OnEvent("custom.>", func(_ context.Context, ev events.Event) error {
		handled <- ev.ID
		return nil
	})
	h, err := c.Handle(ctx, permissions.Client, mux)
	require.NoError(t, err)
	published, err := c.PublishData(ctx, "custom.deploy", []byte(`{}`))
	require.NoError(t, err)
	select {
	case id := <-handled:
		require.Equal(t, published.ID, id)
	case <-ctx.Done():
		require.Fail(t, "the event does not come")
	}
	h.Stop()
	require.NoError(t, h.Err())
}
