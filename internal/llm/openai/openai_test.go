package openai_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// connect returns a server and a client for it; change may adjust the client's settings.
func connect(t *testing.T, change func(*openai.Config)) (*llmtest.Server, *openai.Client) {
	t.Helper()
	server := llmtest.NewServer(t)
	cfg := openai.Config{
		Provider: "acme", BaseURL: server.URL + "/", Key: secret.NewValue(llmtest.Key), HTTP: llm.NewHTTPClient(),
		Attempts: llm.Attempts{Retries: 2, Backoff: retry.Backoff{Base: time.Millisecond}},
	}
	if change != nil {
		change(&cfg)
	}
	client, err := openai.New(cfg)
	require.NoError(t, err)
	return server, client
}

// embed asks for the vectors of texts.
func embed(t *testing.T, c *openai.Client, texts ...string) (llm.EmbedResult, error) {
	t.Helper()
	return c.Embed(t.Context(), llm.EmbedRequest{Model: "m", Texts: texts})
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*openai.Config){
		"as configured by default": nil,
		"base64":                   func(c *openai.Config) { c.Base64 = true },
		"small batches":            func(c *openai.Config) { c.MaxBatch = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := connect(t, change)
			llmtest.RunEmbedder(t, llmtest.EmbedFeatures{Model: "m", Dimensions: llmtest.ServerDimensions, Shortens: true}, client)
		})
	}
}

func TestNewChecksItsSettings(t *testing.T) {
	t.Parallel()
	good := openai.Config{Provider: "acme", BaseURL: "http://localhost:8000/v1", HTTP: llm.NewHTTPClient()}
	_, err := openai.New(good)
	require.NoError(t, err, "no key is needed for local servers")
	for _, url := range []string{
		"", "localhost:8000", "ftp://host", "http://", "https://user:hunter2@host/v1", "https://host/v1?key=hunter2",
		"https://host/v1#x", "http://hunter2\x7f", "/v1",
	} {
		bad := good
		bad.BaseURL = url
		_, err := openai.New(bad)
		require.ErrorContains(t, err, "base URL", url)
		require.NotContains(t, err.Error(), "hunter2")
	}
	bad := good
	bad.Key = secret.NewValue("hun\nter2")
	_, err = openai.New(bad)
	require.ErrorContains(t, err, "API key")
	require.NotContains(t, err.Error(), "ter2")
}

func TestEmbeddingsOnTheWire(t *testing.T) {
	t.Parallel()
	server, client := connect(t, func(c *openai.Config) { c.MaxBatch = 2; c.Base64 = true })
	_, err := client.Embed(t.Context(), llm.EmbedRequest{Model: "m", Texts: []string{"a", "b", "c"}, Dimensions: 4, User: "u"})
	require.NoError(t, err)
	got := server.Requests()
	require.Len(t, got, 2)
	for i, want := range []string{
		`{"model":"m","input":["a","b"],"dimensions":4,"encoding_format":"base64","user":"u"}`,
		`{"model":"m","input":"c","dimensions":4,"encoding_format":"base64","user":"u"}`,
	} {
		require.JSONEq(t, want, string(got[i].Body))
		require.Equal(t, "Bearer "+llmtest.Key, got[i].Header.Get("Authorization"))
		require.Equal(t, "application/json", got[i].Header.Get("Content-Type"))
	}
}

func TestVectorsComeInTheOrderOfTheTexts(t *testing.T) {
	t.Parallel()
	_, client := connect(t, nil)
	res, err := embed(t, client, "a", "b", "c") // the server sends them in reverse
	require.NoError(t, err)
	for i, text := range []string{"a", "b", "c"} {
		require.Equal(t, llmtest.Vector(text, llmtest.ServerDimensions), res.Vectors[i])
	}
}

func TestBadAnswersToEmbed(t *testing.T) {
	t.Parallel()
	const good = `{"index":0,"embedding":[1,2]}`
	huge := `{"data":[` + good + `],"pad":"` + strings.Repeat("x", 33<<20) + `"}`
	for name, c := range map[string]struct {
		answer string
		code   events.Code
	}{
		"not JSON":            {`{"data":[`, events.CodeInternal},
		"empty body":          {``, events.CodeInternal},
		"null":                {`null`, events.CodeInternal},
		"no data":             {`{}`, events.CodeInternal},
		"missing vector":      {`{"data":[` + good + `]}`, events.CodeInternal},
		"too many":            {`{"data":[` + good + `,{"index":1,"embedding":[1,2]},{"index":2,"embedding":[1,2]}]}`, events.CodeInternal},
		"index twice":         {`{"data":[` + good + `,` + good + `]}`, events.CodeInternal},
		"index out of range":  {`{"data":[` + good + `,{"index":2,"embedding":[1,2]}]}`, events.CodeInternal},
		"index negative":      {`{"data":[` + good + `,{"index":-1,"embedding":[1,2]}]}`, events.CodeInternal},
		"no index":            {`{"data":[` + good + `,{"embedding":[1,2]}]}`, events.CodeInternal},
		"no embedding":        {`{"data":[` + good + `,{"index":1}]}`, events.CodeInternal},
		"null embedding":      {`{"data":[` + good + `,{"index":1,"embedding":null}]}`, events.CodeInternal},
		"null number":         {`{"data":[` + good + `,{"index":1,"embedding":[1,null]}]}`, events.CodeInternal},
		"empty embedding":     {`{"data":[` + good + `,{"index":1,"embedding":[]}]}`, events.CodeInternal},
		"other length":        {`{"data":[` + good + `,{"index":1,"embedding":[1,2,3]}]}`, events.CodeInternal},
		"too large a number":  {`{"data":[` + good + `,{"index":1,"embedding":[1,1e39]}]}`, events.CodeInternal},
		"text in it":          {`{"data":[` + good + `,{"index":1,"embedding":[1,"2"]}]}`, events.CodeInternal},
		"zero vector":         {`{"data":[` + good + `,{"index":1,"embedding":[0,0]}]}`, events.CodeInternal},
		"nested vector":       {`{"data":[` + good + `,{"index":1,"embedding":[[1,2]]}]}`, events.CodeInternal},
		"base64 cut":          {`{"data":[` + good + `,{"index":1,"embedding":"AACAPwAA"}]}`, events.CodeInternal},
		"base64 not a number": {`{"data":[` + good + `,{"index":1,"embedding":"AADAfwAAwH8="}]}`, events.CodeInternal},
		"not base64":          {`{"data":[` + good + `,{"index":1,"embedding":"%%%%"}]}`, events.CodeInternal},
		"too large a body":    {huge, events.CodeInternal},
		"error with 200":      {`{"error":{"message":"overloaded","type":"rate_limit_exceeded","code":429}}`, events.CodeRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := connect(t, func(c *openai.Config) { c.Attempts = llm.Attempts{} })
			server.Script(llmtest.Answer(http.StatusOK, c.answer))
			_, err := embed(t, client, "a", "b")
			require.Equal(t, c.code, events.CodeOf(err), err)
			require.Equal(t, "acme", events.AsError(err).Provider)
		})
	}
}

func TestBothFormsOfVectorsAreRead(t *testing.T) {
	t.Parallel()
	server, client := connect(t, nil) // asks for numbers
	server.Script(llmtest.Answer(http.StatusOK, `{"data":[{"index":0,"embedding":"AACAPwAAAMA="},{"index":1,"embedding":[-0.5, 2e-3]}]}`))
	res, err := embed(t, client, "a", "b")
	require.NoError(t, err)
	require.Equal(t, [][]float32{{1, -2}, {-0.5, 0.002}}, res.Vectors)
}

func TestDimensionsThatAreIgnored(t *testing.T) {
	t.Parallel()
	server, client := connect(t, nil)
	server.Script(llmtest.Answer(http.StatusOK, `{"data":[{"index":0,"embedding":[1,2,3]}]}`))
	_, err := client.Embed(t.Context(), llm.EmbedRequest{Model: "m", Texts: []string{"a"}, Dimensions: 2})
	require.Equal(t, events.CodeUnsupported, events.CodeOf(err))
	require.ErrorContains(t, err, "dimensions")
}
