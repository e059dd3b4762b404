package cohere_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
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
	c := connect(t, cohere.Config{HTTP: &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		require.Equal(t, http.MethodGet, req.Method)
		require.Equal(t, "Bearer "+llmtest.Key, req.Header.Get("Authorization"))
		asked = append(asked, req.URL.String())
		body := `{"models":[{"name":"command-a","endpoints":["chat"]},{"name":"command-old","is_deprecated":true}],"next_page_token":"p 2"}`
		if req.URL.Query().Get("page_token") == "p 2" {
			body = `{"models":[{"name":"command-b","is_deprecated":null}],"next_page_token":""}`
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})}})
	names, err := c.Models(t.Context(), secret.NewValue(llmtest.Key))
	require.NoError(t, err)
	require.Equal(t, []string{"command-a", "command-b"}, names)
	require.Equal(t, []string{
		"https://api.cohere.com/v1/models?endpoint=chat&page_size=1000", "https://api.cohere.com/v1/models?endpoint=chat&page_size=1000&page_token=p+2",
	}, asked)
}

func TestModelsFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		class  llm.Class
		says   string
	}{
		"no key":     {401, failure("invalid api token"), llm.ClassKey, "invalid api token"},
		"no list":    {200, `{"next_page_token":"a"}`, llm.ClassAnswer, "no list"},
		"no name":    {200, `{"models":[{}]}`, llm.ClassAnswer, "models[0]"},
		"never ends": {200, `{"models":[],"next_page_token":"a"}`, llm.ClassAnswer, "does not end"},
		"no JSON":    {200, `[`, llm.ClassAnswer, "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{status: c.status, body: c.body}
			_, err := r.client(t).Models(t.Context(), secret.NewValue(llmtest.Key))
			require.Equal(t, c.class, llm.FaultOf(err).Class, "%v", err)
			require.ErrorContains(t, err, c.says)
		})
	}
}
