package fakeforge_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/fakeforge"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var host, asked string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		host, asked = r.Host, string(body)
		w.Header().Set("X-Fake", "yes")
		if asked != "" {
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusTeapot) // too late
			fmt.Fprint(w, "made ", asked)
		}
	})
	request := func(ctx context.Context, body io.Reader) *http.Request {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://forge.example/x", body)
		require.NoError(t, err)
		return req
	}
	resp, err := fakeforge.RoundTrip(handler, request(t.Context(), strings.NewReader("a run")))
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusCreated, resp.StatusCode)
	require.Equal(t, "made a run", string(body))
	require.Equal(t, "yes", resp.Header.Get("X-Fake"))
	require.Equal(t, "forge.example", host)

	resp, err = fakeforge.RoundTrip(handler, request(t.Context(), nil))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	over, cancel := context.WithCancel(t.Context())
	cancel()
	asked = "nobody"
	resp, err = fakeforge.RoundTrip(handler, request(over, strings.NewReader("too late"))) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, resp)
	require.Equal(t, "nobody", asked)
}

func TestFailures(t *testing.T) {
	t.Parallel()
	var failures fakeforge.Failures[string]
	next := func() string {
		failure, ok := failures.NextFailure(nil)
		require.Equal(t, ok, failure != "")
		return failure
	}
	require.Empty(t, next())
	failures.SetFault(func(*http.Request) (string, bool) { return "always", true })
	failures.Fail("one", "two")
	failures.Fail("three")
	require.Equal(t, []string{"one", "two", "three", "always", "always"}, []string{next(), next(), next(), next(), next()})
	failures.SetFault(nil)
	require.Empty(t, next())
	failures.Fail("never")
	failures.Heal()
	require.Empty(t, next())
}
