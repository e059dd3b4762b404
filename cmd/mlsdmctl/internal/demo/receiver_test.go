package demo_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/demo"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

func TestReceiverBelievesOnlyWhatIsSigned(t *testing.T) {
	t.Parallel()
	told := make(chan demo.Received, 10)
	r, err := demo.StartReceiver(t.Context(), func(got demo.Received) { told <- got })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.WithoutCancel(t.Context()))) })
	hook, err := webhook.New(r.Secret().Reveal())
	require.NoError(t, err)

	post := func(edit func(http.Header)) demo.Received {
		t.Helper()
		body := []byte(`{"type":"custom.x"}`)
		header, err := hook.Sign("evt_1", time.Now(), body)
		require.NoError(t, err)
		edit(header)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL(), bytes.NewReader(body))
		require.NoError(t, err)
		req.Header = header
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		got := <-told
		require.Equal(t, resp.StatusCode, got.Status)
		return got
	}

	r.Refuse(1)
	got := post(func(http.Header) {})
	require.Equal(t, demo.Received{ID: "evt_1", Type: "custom.x", Status: 503, Try: 1}, got)
	got = post(func(http.Header) {})
	require.Equal(t, demo.Received{ID: "evt_1", Type: "custom.x", Status: 204, Try: 2}, got)
	for _, name := range []string{webhook.HeaderSignature, webhook.HeaderBodySignature} {
		got = post(func(h http.Header) { h.Set(name, "wrong") })
		require.Equal(t, http.StatusUnauthorized, got.Status)
		require.Error(t, got.Err)
	}
}
