package tei_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/tei"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// recorder is a server without a connection: it gives one answer to all and keeps the requests.
type recorder struct {
	mu       sync.Mutex
	body     string
	err      error         // instead of an answer
	takes    time.Duration // until it answers
	requests []*http.Request
	sent     string
}

// RoundTrip implements [http.RoundTripper].
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.requests = append(r.requests, req)
	takes, body, err := r.takes, r.body, r.err
	r.mu.Unlock()
	if req.Body != nil && req.Method == http.MethodPost {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		r.sent = string(text)
	}
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: req,
	}, nil
}

// client is a client whose server is r.
func (r *recorder) client(t *testing.T, cfg tei.Config) *tei.Client {
	t.Helper()
	cfg.Provider, cfg.BaseURL, cfg.HTTP = "tei", "http://tei.test", &http.Client{Transport: r}
	c, err := tei.New(cfg)
	require.NoError(t, err)
	return c
}

// said is what a server of version 1.9 says of itself.
const said = `{"model_id":"thenlper/gte-base","model_sha":"fca14538","model_dtype":"float16","model_type":{"embedding":{"pooling":"cls"}},` +
	`"max_concurrent_requests":128,"max_input_length":512,"max_batch_tokens":2048,"max_batch_requests":null,"max_client_batch_size":16,` +
	`"auto_truncate":true,"tokenization_workers":4,"version":"1.9.0","sha":null,"docker_label":null}`

// defaults are the limits of a server that does not tell.
func defaults() llm.EmbedLimits { return llm.EmbedLimits{Items: 32, Tokens: 16384} }

func TestLimits(t *testing.T) {
	t.Parallel()
	const most = 1 << 30
	for name, c := range map[string]struct {
		body string
		want llm.EmbedLimits
	}{
		"all":          {said, llm.EmbedLimits{Items: 16, Tokens: 2048, ItemTokens: 512}},
		"none":         {`{}`, defaults()},
		"nothing good": {`{"max_client_batch_size":0,"max_batch_tokens":-1,"max_input_length":-5}`, defaults()},
		"huge": {
			`{"max_client_batch_size":9000000000,"max_batch_tokens":9000000000,"max_input_length":9000000000}`,
			llm.EmbedLimits{Items: 512, Tokens: most, ItemTokens: most},
		},
		"other types": {`{"max_client_batch_size":"many"}`, defaults()},
		"no JSON":     {`<html>`, defaults()},
		"a list":      {`[]`, defaults()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{body: c.body}
			got, err := r.client(t, tei.Config{}).EmbedLimits(t.Context(), "m", secret.NewValue("sk-1"))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Equal(t, "GET http://tei.test/info", r.requests[0].Method+" "+r.requests[0].URL.String())
			require.Equal(t, "Bearer sk-1", r.requests[0].Header.Get("Authorization"))
		})
	}
}

func TestLimitsAreAskedOnceInAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{body: said, takes: time.Second}
		c := r.client(t, tei.Config{})
		ask := func() llm.EmbedLimits {
			got, err := c.EmbedLimits(t.Context(), "m", secret.Value{})
			require.NoError(t, err)
			return got
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { ask() })
		}
		all.Wait()
		require.Len(t, r.requests, 1, "however many ask")

		r.err = errors.New("connection refused")
		<-time.After(9 * time.Minute)
		require.Equal(t, 16, ask().Items)
		require.Len(t, r.requests, 1)
		<-time.After(2 * time.Minute)
		require.Equal(t, 16, ask().Items, "what it told before counts more than the defaults")
		require.Len(t, r.requests, 2)
		require.Equal(t, 16, ask().Items)
		require.Len(t, r.requests, 2, "a failure is not repeated at once")
		r.err, r.body = nil, `{"max_client_batch_size":64}`
		<-time.After(time.Minute)
		require.Equal(t, 64, ask().Items, "it was started anew")
	})
}

func TestLimitsOfAServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: time.Hour}
		c := r.client(t, tei.Config{})
		start := time.Now()
		got, err := c.EmbedLimits(t.Context(), "m", secret.Value{})
		require.NoError(t, err)
		require.Equal(t, defaults(), got)
		require.LessOrEqual(t, time.Since(start), 5*time.Second)

		c = r.client(t, tei.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range 3 { // one asks, the others wait for it
			all.Go(func() {
				_, err := c.EmbedLimits(ctx, "m", secret.Value{})
				require.Equal(t, llm.ClassTimeout, llm.FaultOf(err).Class)
			})
		}
		all.Wait()
		r.takes, r.body = 0, said
		got, err = c.EmbedLimits(t.Context(), "m", secret.Value{})
		require.NoError(t, err)
		require.Equal(t, 16, got.Items, "an impatient caller has left nothing behind")
	})
}
