package openai_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// embedAnswer writes an answer of OpenAI's.
func embedAnswer(r llmtest.EmbedReply) string {
	data := make([]string, len(r.Items))
	for i, item := range r.Items {
		data[i] = `{"object":"embedding"`
		if item.Index != "" {
			data[i] += `,"index":` + item.Index
		}
		if item.Vector != "" {
			data[i] += `,"embedding":` + item.Vector
		}
		data[i] += `}`
	}
	return fmt.Sprintf(`{"object":"list","data":[%s],"model":"m-2026","usage":{"prompt_tokens":%d,"total_tokens":%d}}`+"\n", strings.Join(data, ","), r.Tokens, r.Tokens)
}

// embedDialect is OpenAI's.
func embedDialect(opts openai.Options) llmtest.EmbedDialect {
	chat := llmtest.OpenAI()
	answered := func(data string) string { return `{"object":"list","data":` + data + `}` }
	return llmtest.EmbedDialect{
		New: func(t testing.TB, url string, client *http.Client) llm.EmbedAdapter {
			t.Helper()
			a, err := openai.NewAdapter("acme", url+"/v1", client, opts)
			require.NoError(t, err)
			return a
		},
		Provider: "acme", Answer: embedAnswer, Indexed: true, Base64: true, Counts: true, Dimensions: []int{4, 256}, User: true,
		Sent: func(t testing.TB, req *http.Request, body []byte) llmtest.EmbedSent {
			t.Helper()
			require.Equal(t, "/v1/embeddings", req.URL.RequestURI())
			var got struct {
				Model          string   `json:"model"`
				Input          []string `json:"input"`
				Dimensions     int      `json:"dimensions"`
				EncodingFormat string   `json:"encoding_format"`
				User           string   `json:"user"`
			}
			llmtest.ReadSent(t, body, &got)
			require.Equal(t, opts.Base64, got.EncodingFormat == "base64")
			return llmtest.EmbedSent{Model: got.Model, Texts: got.Input, Dimensions: got.Dimensions, User: got.User}
		},
		Tokens: "input",
		Error:  chat.Error, InAnswer: chat.InAnswer, Errors: chat.Errors,
		TooLong: llmtest.Failing{
			Status: 400, Says: "maximum context length",
			Body: `{"error":{"message":"This model's maximum context length is 8192 tokens, however you requested 9000 tokens","type":"invalid_request_error","param":null,"code":null}}`,
		},
		AnswerErrors: []llmtest.Failing{
			{Name: "data is null", Body: answered("null"), Class: llm.ClassAnswer, Code: events.CodeInternal, Says: "0 vectors for 2 texts"},
			{Name: "data is an object", Body: answered("{}"), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "data twice", Body: `{"data":[{"index":0,"embedding":[1]}],"data":[{"index":1,"embedding":[1]}]}`, Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "no objects", Body: answered(`[[1,2],[3,4]]`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "two embeddings", Body: answered(`[{"index":0,"embedding":[1],"embedding":[2]},{"index":1,"embedding":[1]}]`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "two indexes", Body: answered(`[{"index":0,"index":1,"embedding":[1]},{"index":1,"embedding":[1]}]`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "usage of another kind", Body: embedWith(`"usage":[1]`), Class: llm.ClassAnswer, Code: events.CodeInternal},
			{Name: "error beside null", Body: `{"data":null,"error":{"message":"slow down","code":429}}`, Class: llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true, Says: "slow down"},
			{Name: "error beside nothing", Body: `{"error":"overloaded","data":[]}`, Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "overloaded"},
		},
	}
}

// embedWith is a good answer to two texts with a further member.
func embedWith(member string) string {
	return `{"data":[{"index":1,"embedding":[3,4]},{"embedding":[1,2],"index":0}],` + member + `}`
}

func TestEmbedAdapter(t *testing.T) { // rows of it measure memory
	for name, opts := range map[string]openai.Options{"numbers": {}, "base64": {Base64: true}} {
		t.Run(name, func(t *testing.T) { llmtest.RunEmbed(t, embedDialect(opts)) })
	}
}

func FuzzEmbed(f *testing.F) { llmtest.FuzzEmbed(f, embedDialect(openai.Options{})) }

// asked makes one call to a server that answers so, without a connection.
func asked(t *testing.T, status int, body string, call *llm.EmbedCall, opts openai.Options) (*llm.Embedded, error) {
	t.Helper()
	server := llmtest.NewServer(t)
	server.Script(llmtest.Answer(status, body))
	a, err := openai.NewAdapter("acme", server.URL, llm.NewHTTPClient(), opts)
	require.NoError(t, err)
	return a.Embed(t.Context(), call)
}

// two is a call of two texts.
func two() *llm.EmbedCall {
	return &llm.EmbedCall{Model: "m", Texts: []string{"a", "b"}, Key: secret.NewValue(llmtest.Key)}
}

func TestEmbedOnTheWire(t *testing.T) {
	t.Parallel()
	server, a := adapt(t, openai.Options{Base64: true})
	call := two()
	call.Dimensions, call.User, call.InputType = 4, "u", events.InputQuery
	got, err := a.Embed(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, [][]float32{llmtest.Vector("a", 4), llmtest.Vector("b", 4)}, got.Vectors)
	_, err = a.Embed(t.Context(), &llm.EmbedCall{Model: "m", Texts: []string{"c"}, Key: call.Key})
	require.NoError(t, err)
	for i, want := range []string{
		`{"model":"m","input":["a","b"],"dimensions":4,"encoding_format":"base64","user":"u"}`,
		`{"model":"m","input":["c"],"encoding_format":"base64"}`,
	} {
		r := server.Requests()[i]
		require.JSONEq(t, want, string(r.Body))
		require.Equal(t, "Bearer "+llmtest.Key, r.Header.Get("Authorization"))
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	}
}

// TestTokenIDsWhereTheyAreRefused: some servers take texts only, and who runs one says so.
func TestTokenIDsWhereTheyAreRefused(t *testing.T) {
	t.Parallel()
	server, a := adapt(t, openai.Options{Refuse: []string{"tokens"}})
	_, err := a.Embed(t.Context(), &llm.EmbedCall{Model: "m", Tokens: [][]int32{{1}}, Key: secret.NewValue(llmtest.Key)})
	require.Equal(t, llm.ClassUnsupported, llm.FaultOf(err).Class)
	require.ErrorContains(t, err, "input: it takes no token ids")
	require.Empty(t, server.Requests())
	_, err = a.Embed(t.Context(), two())
	require.NoError(t, err)
}

func TestBothFormsOfVectorsAreRead(t *testing.T) {
	t.Parallel()
	for _, opts := range []openai.Options{{}, {Base64: true}} { // whatever was asked for
		got, err := asked(t, 200, `{"data":[{"index":0,"embedding":"AACAPwAAAMA="},{"index":1,"embedding":[-0.5, 2e-3]}]}`, two(), opts)
		require.NoError(t, err)
		require.Equal(t, [][]float32{{1, -2}, {-0.5, 0.002}}, got.Vectors)
	}
}

func TestEmbedUsage(t *testing.T) {
	t.Parallel()
	for usage, want := range map[string]int{
		`"usage":{"prompt_tokens":7,"total_tokens":7}`: 7, `"usage":{"prompt_tokens":7.0}`: 7, `"usage":{"total_tokens":9}`: 9, `"usage":null`: 0, `"usage":{}`: 0,
		`"usage":{"prompt_tokens":-1}`: 0, `"usage":{"prompt_tokens":1e18}`: 0, `"x":1`: 0, `"error":null`: 0, `"usage":{"prompt_tokens":3,"cost":{"x":[]}}`: 3,
	} {
		got, err := asked(t, 200, embedWith(usage), two(), openai.Options{})
		require.NoError(t, err, usage)
		require.Equal(t, want, got.PromptTokens, usage)
		require.Equal(t, [][]float32{{1, 2}, {3, 4}}, got.Vectors)
	}
}

func TestTextsThatAreTooLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
	}{
		{400, `{"error":{"message":"Invalid 'input[0]': maximum input length is 8192 tokens.","type":"invalid_request_error","param":null,"code":null}}`},
		{400, `{"error":{"message":"Requested 400000 tokens, max 300000 tokens per request","type":"max_tokens_per_request","param":null,"code":"max_tokens_per_request"}}`},
		{400, `{"error":{"message":"the input length exceeds the context length","type":"invalid_request_error","param":null,"code":null}}`},
		{500, `{"error":{"code":500,"message":"input is too large to process. increase the physical batch size","type":"server_error"}}`},
		{400, `{"object":"error","message":"This model's maximum context length is 512 tokens. However, you requested 600 tokens","type":"BadRequestError","param":null,"code":400}`},
		{422, `{"object":"error","message":"Input id 0 has 9000 tokens, exceeding max 8192 tokens.","type":"invalid_request_prompt","param":null,"code":"3210"}`},
		{413, "{\"message\":\"Input validation error: `inputs` must have less than 512 tokens. Given: 600\",\"type\":\"Validation\"}"},
	} {
		call := two()
		_, err := asked(t, c.status, c.body, call, openai.Options{})
		fault := llm.FaultOf(err)
		require.Equal(t, llm.ClassUnsupported, fault.Class, "%v", fault)
		require.Equal(t, events.CodeInvalidArgument, fault.Err.Code)
		require.NotContains(t, fault.Error(), "truncate")
		call.Truncate = true
		_, err = asked(t, c.status, c.body, call, openai.Options{})
		require.Equal(t, llm.ClassUnsupported, llm.FaultOf(err).Class)
		require.ErrorContains(t, err, "truncate: the server does not cut texts")
	}
	_, err := asked(t, 500, `{"error":{"message":"CUDA out of memory"}}`, two(), openai.Options{})
	require.Equal(t, llm.ClassProvider, llm.FaultOf(err).Class)
}

func TestFieldsThatAServerIgnores(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*llm.EmbedCall){
		"dimensions": func(c *llm.EmbedCall) { c.Dimensions = 2 }, "user": func(c *llm.EmbedCall) { c.User = "u" },
	} {
		call := two()
		_, err := asked(t, 200, embedWith(`"x":1`), call, openai.Options{Refuse: []string{field}})
		require.NoError(t, err)
		change(call)
		_, err = asked(t, 200, embedWith(`"x":1`), call, openai.Options{Refuse: []string{field}})
		require.Equal(t, llm.ClassUnsupported, llm.FaultOf(err).Class)
		require.ErrorContains(t, err, field)
	}
}

func TestEmbedWithAzure(t *testing.T) {
	t.Parallel()
	server := llmtest.NewServer(t)
	server.Script(llmtest.Answer(200, embedWith(`"x":1`)))
	base := strings.TrimSuffix(server.URL, "/v1") + "/openai"
	a, err := openai.NewAdapter("acme", base, llm.NewHTTPClient(), openai.Azure(base, "2024-10-21"))
	require.NoError(t, err)
	_, err = a.Embed(t.Context(), two())
	require.NoError(t, err)
	require.Equal(t, "/openai/deployments/m/embeddings", server.Requests()[0].Path)
	require.Equal(t, llmtest.Key, server.Requests()[0].Header.Get("Api-Key"))
}

func TestEmbedLimits(t *testing.T) {
	t.Parallel()
	known, own := llm.EmbedLimits{Items: 2048, Tokens: 300_000, ItemTokens: 8192}, llm.EmbedLimits{Items: 32, ItemTokens: 512}
	for url, want := range map[string]llm.EmbedLimits{
		"https://api.openai.com/v1": known, "https://EU.api.openai.com/v1": known, "https://x.openai.azure.com/openai/v1": known,
		"http://localhost:8000/v1": {Items: 2048}, "https://api.openai.com.evil.test/v1": {Items: 2048},
	} {
		for _, opts := range []openai.Options{{}, {EmbedLimits: own}} {
			a, err := openai.NewAdapter("acme", url, llm.NewHTTPClient(), opts)
			require.NoError(t, err)
			got, err := a.EmbedLimits(t.Context(), "m", secret.Value{})
			require.NoError(t, err)
			if opts.EmbedLimits != (llm.EmbedLimits{}) {
				want = own
			}
			require.Equal(t, want, got, url)
		}
	}
}

// What reading costs: 96 vectors of 1536 dimensions, in both forms.
func BenchmarkEmbed(b *testing.B) {
	const count, dimensions = 96, 1536
	call := &llm.EmbedCall{Model: "m"}
	var numbers, packed llmtest.EmbedReply
	for i := range count {
		text := fmt.Sprintf("text %d", i)
		call.Texts = append(call.Texts, text)
		v := llmtest.Vector(text, dimensions)
		item := llmtest.EmbedItem{Index: strconv.Itoa(i), Vector: llmtest.Numbers(v)}
		numbers.Items = append(numbers.Items, item)
		item.Vector = llmtest.Packed(v...)
		packed.Items = append(packed.Items, item)
	}
	for name, reply := range map[string]llmtest.EmbedReply{"numbers": numbers, "base64": packed} {
		b.Run(name, func(b *testing.B) {
			a, err := openai.NewAdapter("acme", "http://127.0.0.1:9", &http.Client{Transport: still{"application/json", embedAnswer(reply)}}, openai.Options{})
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Embed(b.Context(), call); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/count, "µs/vector")
		})
	}
}
