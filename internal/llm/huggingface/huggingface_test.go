package huggingface_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/huggingface"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// dialect is the router's: OpenAI's, with errors of its own.
func dialect() llmtest.Dialect {
	d := llmtest.OpenAI()
	d.New = func(t testing.TB, url string, client *http.Client) llm.Adapter {
		t.Helper()
		a, err := huggingface.New("acme", url+"/v1", client, huggingface.Options{BillTo: "my-org", Suffix: "fastest"})
		require.NoError(t, err)
		return a
	}
	d.Error = func(message string) string {
		text, err := json.Marshal(map[string]string{"error": message})
		if err != nil {
			panic(err) // a string can always be written
		}
		return string(text)
	}
	d.Errors = []llmtest.Failing{
		{
			Name: "credits", Status: 402, Body: `{"error":"You have exceeded your monthly included credits for Inference Providers."}`,
			Class: llm.ClassQuota, Code: events.CodeRateLimited, Says: "monthly included credits",
		},
		{
			Name: "rate limit", Status: 429, Body: `{"error":"You have reached the free monthly usage limit"}`,
			Class: llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true,
		},
		{
			Name: "retired", Status: 410, Body: `{"error":"https://api-inference.huggingface.co is no longer supported. Please use https://router.huggingface.co instead."}`,
			Class: llm.ClassModel, Code: events.CodeNotFound, Says: "base URL has to be https://router.huggingface.co/v1",
		},
		{
			Name: "no provider", Status: 400, Body: `{"error":{"message":"The requested model 'x/y' is not supported by any provider you have enabled.","type":"invalid_request_error","param":"model","code":"model_not_supported"}}`,
			Class: llm.ClassModel, Code: events.CodeNotFound, Says: "not supported by any provider",
		},
	}
	d.Wrapped = true
	d.Refuses["n"] = `{"n":2}`
	return d
}

func TestAdapter(t *testing.T) { // rows of it measure memory
	llmtest.RunAdapter(t, dialect())
}

func FuzzAnswer(f *testing.F) { llmtest.FuzzAnswer(f, dialect()) }

func FuzzStream(f *testing.F) { llmtest.FuzzStream(f, dialect()) }

func TestOnTheWire(t *testing.T) {
	t.Parallel()
	limit := 7
	for name, c := range map[string]struct {
		opts         huggingface.Options
		model, asked string
		bill         string
	}{
		"plain":    {huggingface.Options{}, "org/m", "org/m", ""},
		"suffixed": {huggingface.Options{Suffix: "cheapest", BillTo: "my-org"}, "org/m", "org/m:cheapest", "my-org"},
		"it says":  {huggingface.Options{Suffix: "cheapest", Header: http.Header{"X-A": {"b"}}, BillTo: "o"}, "org/m:together", "org/m:together", "o"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := llmtest.NewServer(t)
			a, err := huggingface.New("huggingface", server.URL, llm.NewHTTPClient(), c.opts)
			require.NoError(t, err)
			call := &llm.Call{Model: c.model, Key: secret.NewValue(llmtest.Key), Request: &events.ChatRequest{Prompt: "hi", MaxCompletionTokens: &limit}}
			_, err = a.Chat(t.Context(), call)
			require.NoError(t, err)
			require.Equal(t, c.model, call.Model)
			got := server.Requests()[0]
			require.JSONEq(t, `{"model":"`+c.asked+`","messages":[{"role":"user","content":"hi"}],"max_tokens":7}`, string(got.Body))
			require.Equal(t, c.bill, got.Header.Get("X-Hf-Bill-To"))
			require.Equal(t, c.opts.Header.Get("X-A"), got.Header.Get("X-A"))
			require.NotContains(t, c.opts.Header, "X-Hf-Bill-To", "the settings are the caller's")
		})
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	server := llmtest.NewServer(t)
	a, err := huggingface.New("huggingface", server.URL, llm.NewHTTPClient(), huggingface.Options{})
	require.NoError(t, err)
	server.Script(llmtest.Answer(http.StatusOK, `{"object":"list","data":[{"id":"org/m","providers":[{"provider":"together","status":"live"}]}]}`))
	models, err := a.Models(t.Context(), secret.NewValue(llmtest.Key))
	require.NoError(t, err)
	require.Equal(t, []string{"org/m"}, models)
}

func TestNewChecksItsSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, word string
		opts      huggingface.Options
	}{
		{"https://api-inference.huggingface.co/models", "https://router.huggingface.co/v1", huggingface.Options{}},
		{"router.huggingface.co", "base URL", huggingface.Options{}},
		{huggingface.BaseURL, "organization", huggingface.Options{BillTo: "my\r\norg"}},
		{huggingface.BaseURL, "suffix", huggingface.Options{Suffix: ":fastest"}},
	} {
		_, err := huggingface.New("huggingface", c.url, llm.NewHTTPClient(), c.opts)
		require.ErrorContains(t, err, c.word)
	}
}
