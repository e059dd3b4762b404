// Package protocol runs what docs/protocol.md shows: every console block, with the plain nats tool, against every service.
package protocol_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// secret is the webhook secret that the document uses.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// received is one webhook as the receiver got it.
type received struct {
	header http.Header
	body   string
}

// receiver is a webhook receiver that checks signatures as the document says.
func receiver(t *testing.T) (url string, got <-chan received) {
	t.Helper()
	hook, err := webhook.New(secret)
	require.NoError(t, err)
	webhooks := make(chan received, 1024)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || hook.Verify(r.Header, body) != nil || hook.VerifyBody(r.Header, body) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		webhooks <- received{r.Header, string(body)}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/hook", webhooks
}

// start runs every service on a server of its own, as `mlsdmctl up` does, and waits until all of them answer.
func start(t *testing.T, env map[string]string) (server *bustest.Server) {
	t.Helper()
	server = bustest.Start(t)
	nc := server.Conn(t)
	for _, unit := range services.Units() {
		instance, err := unit.Load(service.Source{Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		done := make(chan error, 1)
		deps := service.Deps{Bus: server.ConnectTraced(t, "mlsdm-"+unit.Name, nil), Logger: bustest.Logger(t), DrainTimeout: 5 * time.Second}
		go func() { done <- instance.Run(ctx, deps) }()
		t.Cleanup(func() {
			cancel()
			require.NoError(t, <-done, unit.Name)
		})
		require.Eventually(t, func() bool {
			_, err := nc.Request("$SRV.PING.mlsdm-"+unit.Name, nil, time.Second)
			return err == nil
		}, 20*time.Second, 20*time.Millisecond, "%s does not answer", unit.Name)
	}
	return server
}
