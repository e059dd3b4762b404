package anthropic_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// roundTrip is a transport that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestModels(t *testing.T) {
	t.Parallel()
	var asked []string
	c := connect(t, anthropic.Config{HTTP: &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		require.Equal(t, http.MethodGet, req.Method)
		require.Equal(t, llmtest.Key, req.Header.Get("x-api-key"))
		require.Equal(t, "2023-06-01", req.Header.Get("anthropic-version"))
		asked = append(asked, req.URL.String())
		body := `{"data":[{"type":"model","id":"claude-a","display_name":"A"},{"type":"model","id":"claude-b"}],"has_more":true,"first_id":"claude-a","last_id":"claude-b"}`
		if req.URL.Query().Get("after_id") == "claude-b" {
			body = `{"data":[{"type":"model","id":"claude-c"}],"has_more":false,"first_id":"claude-c","last_id":"claude-c"}`
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})}})
	names, err := c.Models(t.Context(), secret.NewValue(llmtest.Key))
	require.NoError(t, err)
	require.Equal(t, []string{"claude-a", "claude-b", "claude-c"}, names)
	require.Equal(t, []string{"https://api.anthropic.com/v1/models?limit=1000", "https://api.anthropic.com/v1/models?after_id=claude-b&limit=1000"}, asked)
}

func TestModelsFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		class  llm.Class
		says   string
	}{
		"no key":          {401, failure("authentication_error", "invalid x-api-key"), llm.ClassKey, "invalid x-api-key"},
		"no list":         {200, `{"has_more":false}`, llm.ClassAnswer, "no list"},
		"no name":         {200, `{"data":[{"type":"model"}]}`, llm.ClassAnswer, "data[0]"},
		"more of nothing": {200, `{"data":[],"has_more":true}`, llm.ClassAnswer, "after which"},
		"the same again":  {200, `{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}`, llm.ClassAnswer, "after which"},
		"no JSON":         {200, `[`, llm.ClassAnswer, "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{status: c.status, body: c.body}
			_, err := r.client(t, anthropic.Config{}).Models(t.Context(), secret.NewValue(llmtest.Key))
			require.Equal(t, c.class, llm.FaultOf(err).Class, "%v", err)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// TestEndlessModels gives up on a list without end.
func TestEndlessModels(t *testing.T) {
	t.Parallel()
	n := 0
	c := connect(t, anthropic.Config{HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		n++
		body := `{"data":[{"id":"a"}],"has_more":true,"last_id":"` + strings.Repeat("x", n) + `"}`
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})}})
	_, err := c.Models(t.Context(), secret.NewValue(llmtest.Key))
	require.ErrorContains(t, err, "does not end")
	require.Equal(t, 10, n)
}
