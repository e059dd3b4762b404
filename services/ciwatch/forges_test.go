package ciwatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
)

// TestTwoForges: what a file says is watched on two forges of different kinds, and webhooks of both, each signed in its way, end in the same
// events. The second forge is never asked.
func TestTwoForges(t *testing.T) {
	t.Parallel()
	hub, err := fakegithub.New(fakegithub.Options{Repository: repository, Token: token})
	require.NoError(t, err)
	hubServer := httptest.NewServer(hub)
	t.Cleanup(hubServer.Close)
	lab := fakegitlab.New(fakegitlab.Options{Project: "group/sub/project"})
	labServer := httptest.NewServer(lab)
	t.Cleanup(labServer.Close)

	folder := t.TempDir()
	secretFile := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return "file:" + path
	}
	file := filepath.Join(folder, "ci.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
forges:
  - {name: github, url: %q, tokens: [%q], webhook_secrets: [%q, %q]}
  - {name: lab, kind: gitlab, url: %q, webhook_secrets: [%q], polls: false}
repositories: [github:neuron7x/mlsdm, lab:group/sub/project]
rules:
  - {name: all, branches: [main], failures_to_alert: 2}
`, hubServer.URL, secretFile("token", token), secretFile("new", "new key"), secretFile("old", "old key"), labServer.URL, secretFile("lab", "lab token")), 0o600))

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close()) // and nobody else takes it so soon
	s := &stack{nats: bustest.Start(t), github: hub}
	s.client = s.nats.Connect(t, "client")
	environment := map[string]string{"CI_CONFIG": file, "CI_WEBHOOK_ADDR": addr, "CI_POLL_INTERVAL": "1h", "CI_LEASE": "1s"}
	program := service.Define("ciwatch", "watches CI", ciwatch.New)
	instance, err := program.Load(service.Source{Lookup: func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	connected := s.nats.Connect(t, "ciwatch")
	go func() {
		ended <- instance.Run(ctx, service.Deps{
			Bus: connected, Tracer: bustest.Tracer(t), Logger: bustest.Logger(t), Health: health.NewChecks(), DrainTimeout: 5 * time.Second,
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	require.Eventually(t, func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		return err == nil && conn.Close() == nil
	}, 30*time.Second, 10*time.Millisecond)

	for _, key := range []string{"new key", "old key"} {
		header, body, err := hub.Webhook(hub.AddRun("failure"), key)
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, post(t, "http://"+addr+"/github/webhooks", header, body))
	}
	header, body, err := hub.Webhook(hub.AddRun("failure"), "another key")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, post(t, "http://"+addr+"/github/webhooks", header, body))
	for range 2 {
		header, body, err := lab.Webhook(lab.AddPipeline("failed"), "lab token")
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, post(t, "http://"+addr+"/lab/webhooks", header, body))
		require.Equal(t, http.StatusUnauthorized, post(t, "http://"+addr+"/github/webhooks", header, body))
	}
	var status events.CIStatus
	require.Eventually(t, func() bool {
		reply, err := s.client.Request(t.Context(), bus.Msg{Subject: s.client.Subjects().Interactive("", events.OpCIStatus), Body: []byte(`{"health":"degraded"}`)})
		return err == nil && json.Unmarshal(reply.Body, &status) == nil && len(status.Workflows) == 2
	}, 60*time.Second, 50*time.Millisecond)
	require.Equal(t, []string{"github", "lab"}, []string{status.Workflows[0].Forge, status.Workflows[1].Forge})
	require.Equal(t, []string{repository, "group/sub/project"}, []string{status.Workflows[0].Repository, status.Workflows[1].Repository})
	asked, _ := lab.Requests()
	require.Zero(t, asked, "nobody asks a forge that only tells")
	told := map[string]int{}
	for _, ev := range s.events(t) {
		told[ev.Subject+" "+ev.Type]++
	}
	require.Equal(t, 1, told["group/sub/project ci.degraded"])
	require.Equal(t, 1, told[repository+" ci.degraded"])
}

// post posts a webhook.
func post(t *testing.T, url string, header http.Header, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}
