package huggingface_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/huggingface"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// embedDialect is what the suite has to know of the extraction of features.
func embedDialect(pooling string) llmtest.EmbedDialect {
	bad := func(name, body, says string) llmtest.Failing {
		return llmtest.Failing{Name: name, Body: body, Class: llm.ClassAnswer, Code: events.CodeInternal, Says: says}
	}
	const long = "Input validation error: `inputs` must have less than 512 tokens. Given: 534"
	d := llmtest.EmbedDialect{
		New: func(t testing.TB, url string, client *http.Client) llm.EmbedAdapter {
			t.Helper()
			a, err := huggingface.New("acme", url+"/v1", client, huggingface.Options{
				BillTo: "my-org", Suffix: "fastest", Pooling: pooling, Normalize: true, Prompts: map[string]string{"": "plain", events.InputQuery: "query"},
			})
			require.NoError(t, err)
			return a
		},
		Provider: "acme",
		Answer: func(r llmtest.EmbedReply) string {
			var vectors []string
			for _, item := range r.Items {
				vectors = append(vectors, item.Vector)
			}
			return "[" + strings.Join(vectors, ",") + "]"
		},
		Sent: func(t testing.TB, req *http.Request, body []byte) llmtest.EmbedSent {
			t.Helper()
			var got struct {
				Inputs     []string `json:"inputs"`
				Truncate   *bool    `json:"truncate"`
				Normalize  bool     `json:"normalize"`
				PromptName string   `json:"prompt_name"`
			}
			llmtest.ReadSent(t, body, &got)
			require.NotNil(t, got.Truncate, "it is always said")
			require.True(t, got.Normalize)
			require.Equal(t, "my-org", req.Header.Get("X-Hf-Bill-To"))
			model, found := strings.CutPrefix(req.URL.Path, "/hf-inference/models/")
			require.True(t, found, req.URL.Path)
			model, found = strings.CutSuffix(model, "/pipeline/feature-extraction")
			require.True(t, found, req.URL.Path)
			return llmtest.EmbedSent{Model: model, Texts: got.Inputs, InputType: got.PromptName, Truncate: *got.Truncate}
		},
		Truncates: true,
		InputTypes: map[string]string{
			"": "plain", events.InputQuery: "query", events.InputDocument: "", events.InputClassification: "", events.InputClustering: "",
		},
		Error: said, InAnswer: said,
		TooLong: llmtest.Failing{Status: 422, Body: said(long), Says: long},
		Errors: []llmtest.Failing{
			{
				Name: "too many", Status: 413, Body: said("batch size 64 > maximum allowed batch size 32"),
				Class: llm.ClassUnsupported, Code: events.CodeInvalidArgument, Says: "maximum allowed batch size 32",
			},
			{
				Name: "retired", Status: 410, Body: said("https://api-inference.huggingface.co is no longer supported. Please use https://router.huggingface.co instead."),
				Class: llm.ClassModel, Code: events.CodeNotFound, Says: "base URL has to be https://router.huggingface.co/v1",
			},
			{
				Name: "not run", Status: 400, Body: said("Model org/m not supported by provider hf-inference"),
				Class: llm.ClassModel, Code: events.CodeNotFound, Says: "not supported by provider",
			},
			{
				Name: "credits", Status: 402, Body: said("You have exceeded your monthly included credits for Inference Providers."),
				Class: llm.ClassQuota, Code: events.CodeRateLimited, Says: "monthly included credits",
			},
			{
				Name: "loading", Status: 503, Body: `{"error":"Model org/m is currently loading","estimated_time":20.5}`, RetryAfter: 20 * time.Second,
				Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "currently loading",
			},
			{
				Name: "loading for ever", Status: 503, Body: `{"error":"Model org/m is currently loading","estimated_time":1e300}`, RetryAfter: 24 * time.Hour,
				Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true,
			},
			{
				Name: "a list", Status: 400, Body: `{"error":["Error in inputs: a","b"],"warnings":["w"]}`,
				Class: llm.ClassCaller, Code: events.CodeInvalidArgument, Says: "Error in inputs: a; b",
			},
		},
		AnswerErrors: []llmtest.Failing{
			bad("one vector", `[1,2]`, "one vector for 2 texts"),
			bad("several parts", `[[[[1,2]],[[1,2]]],[[[1,2]],[[1,2]]]]`, ""),
			bad("ragged", `[[[1,2],[1]],[[1,2]]]`, ""),
			bad("five deep", `[[[[[1]]]]]`, "nested 5 deep"),
		},
	}
	if pooling != "" {
		d.Depths = []int{2, 3}
	} else {
		d.AnswerErrors = append(d.AnswerErrors,
			bad("tokens", `[[[1,2],[3,4],[5,6]],[[7,8]]]`, "set the provider's pooling"),
			bad("tokens, deeper", `[[[[1,2],[3,4],[5,6]]],[[[7,8]]]]`, "set the provider's pooling"))
	}
	return d
}

// said writes the body of an error.
func said(message string) string {
	text, err := json.Marshal(map[string]string{"error": message})
	if err != nil {
		panic(err) // a string can always be written
	}
	return string(text)
}

func TestEmbed(t *testing.T) { // rows of it measure memory
	t.Run("vectors", func(t *testing.T) { llmtest.RunEmbed(t, embedDialect("")) })
	t.Run("tokens", func(t *testing.T) { llmtest.RunEmbed(t, embedDialect(huggingface.PoolMean)) })
}

func FuzzEmbed(f *testing.F) { llmtest.FuzzEmbed(f, embedDialect("")) }

func FuzzEmbedTokens(f *testing.F) { llmtest.FuzzEmbed(f, embedDialect(huggingface.PoolMax)) }

// features makes a call of some texts that is answered with a body.
func features(t *testing.T, body string, texts int, opts huggingface.Options) (*llm.Embedded, error) {
	t.Helper()
	server := llmtest.NewServer(t)
	server.Script(llmtest.Answer(http.StatusOK, body))
	a, err := huggingface.New("huggingface", server.URL, llm.NewHTTPClient(), opts)
	require.NoError(t, err)
	return a.Embed(t.Context(), &llm.EmbedCall{Model: "org/m:hf-inference", Texts: make([]string, texts), Key: secret.NewValue(llmtest.Key)})
}

// TestPooling has what each rule makes of answers of each depth.
func TestPooling(t *testing.T) {
	t.Parallel()
	const tokens = `[[1,-2],[4,-8],[1,-5]]`
	rules := map[string][]float32{
		huggingface.PoolMean: {2, -5}, huggingface.PoolCLS: {1, -2}, huggingface.PoolMax: {4, -2}, huggingface.PoolLast: {1, -5},
	}
	for rule, want := range rules {
		for body, texts := range map[string]int{
			`[` + tokens + `]`: 1, `[[` + tokens + `]]`: 1, `[[[9,9]],` + tokens + `]`: 2, `[[[[9,9]]],[` + tokens + `]]`: 2,
		} {
			got, err := features(t, body, texts, huggingface.Options{Pooling: rule})
			require.NoError(t, err, body)
			require.Len(t, got.Vectors, texts)
			require.Equal(t, want, got.Vectors[texts-1], "%s of %s", rule, body)
			if texts > 1 {
				require.Equal(t, []float32{9, 9}, got.Vectors[0])
			}
		}
	}
	for _, rule := range []string{"", huggingface.PoolMean, huggingface.PoolLast} { // what is pooled already stays as it is
		for _, body := range []string{`[3,4]`, `[[3,4]]`} {
			got, err := features(t, body, 1, huggingface.Options{Pooling: rule})
			require.NoError(t, err)
			require.Equal(t, [][]float32{{3, 4}}, got.Vectors)
		}
	}
}

// TestDepths has what is refused, for one text, at each depth.
func TestDepths(t *testing.T) {
	t.Parallel()
	for body, says := range map[string][2]string{ // without a rule, and with one
		`1`:                       {"a number instead of a list", "a number instead of a list"},
		`"x"`:                     {"a string instead", "a string instead"},
		`[]`:                      {"is empty", "is empty"},
		`[[]]`:                    {"is empty", "is empty"},
		`[[1],[2]]`:               {"more than 1 vectors", "2 vectors for 1 texts"},
		`[[[1],[2]]]`:             {"set the provider's pooling to mean, cls, max or last", ""},
		`[[[1]],[[2]]]`:           {"pooling", "2 vectors for 1 texts"},
		`[[[1],[2,3]]]`:           {"pooling", "vector 1 has 2 dimensions"},
		`[[[1],[null]]]`:          {"pooling", "else than a number"},
		`[[[1],[-1]]]`:            {"pooling", "all zeros"},
		`[[[]]]`:                  {"pooling", "is empty"},
		`[[[[1],[2]]]]`:           {"pooling", ""},
		`[[[[1]],[[2]]]]`:         {"pooling", "several lists"},
		`[[[[[1]]]]]`:             {"nested 5 deep", "nested 5 deep"},
		`{"embeddings":[[1]]}`:    {"an object instead", "an object instead"},
		`[{"error":"out of it"}]`: {"else than a number", "else than a number"},
	} {
		for i, rule := range []string{"", huggingface.PoolMean} {
			_, err := features(t, body, 1, huggingface.Options{Pooling: rule})
			if says[i] == "" {
				require.NoError(t, err, body)
				continue
			}
			require.ErrorContains(t, err, says[i], body)
			require.Equal(t, llm.ClassAnswer, llm.FaultOf(err).Class, body)
		}
	}
}

func TestEmbedOnTheWire(t *testing.T) {
	t.Parallel()
	server := llmtest.NewServer(t)
	a, err := huggingface.New("huggingface", server.URL+"/", llm.NewHTTPClient(), huggingface.Options{Header: http.Header{"X-A": {"b"}}})
	require.NoError(t, err)
	server.Script(llmtest.Answer(http.StatusOK, `[[1,2]]`))
	_, err = a.Embed(t.Context(), &llm.EmbedCall{Model: "BAAI/bge small", Texts: []string{"a"}, InputType: events.InputQuery, User: "u"})
	require.NoError(t, err)
	got := server.Requests()[0]
	require.Equal(t, "/hf-inference/models/BAAI/bge small/pipeline/feature-extraction", got.Path)
	require.JSONEq(t, `{"inputs":["a"],"truncate":false}`, string(got.Body))
	require.Equal(t, "b", got.Header.Get("X-A"))

	for model, class := range map[string]llm.Class{
		"": llm.ClassCaller, "/m": llm.ClassCaller, "org/": llm.ClassCaller, "../m": llm.ClassCaller, "a/b/c": llm.ClassCaller, "org/..": llm.ClassCaller,
		"org/m:together": llm.ClassUnsupported,
	} {
		_, err := a.Embed(t.Context(), &llm.EmbedCall{Model: model, Texts: []string{"a"}})
		require.Equal(t, class, llm.FaultOf(err).Class, model)
	}
	require.Len(t, server.Requests(), 1, "nothing else was sent")
	limits, err := a.EmbedLimits(t.Context(), "m", secret.Value{})
	require.NoError(t, err)
	require.Equal(t, llm.EmbedLimits{Items: 32}, limits)
	a, err = huggingface.New("huggingface", server.URL, llm.NewHTTPClient(), huggingface.Options{Pooling: huggingface.PoolCLS})
	require.NoError(t, err)
	limits, err = a.EmbedLimits(t.Context(), "m", secret.Value{})
	require.NoError(t, err)
	require.Equal(t, llm.EmbedLimits{Items: 4}, limits, "vectors of tokens take more room")
}

// TestModelsStayInTheirPlace has names that would lead somewhere else.
func TestModelsStayInTheirPlace(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"org/m?a=b", "org/m#x", "org/%2e%2e", "org/m;x", "org/m\\..", "o g/m\n"} {
		server := llmtest.NewServer(t)
		server.Script(llmtest.Answer(http.StatusOK, `[[1,2]]`))
		a, err := huggingface.New("huggingface", server.URL, llm.NewHTTPClient(), huggingface.Options{})
		require.NoError(t, err)
		_, err = a.Embed(t.Context(), &llm.EmbedCall{Model: model, Texts: []string{"a"}})
		require.NoError(t, err)
		require.Equal(t, "/hf-inference/models/"+model+"/pipeline/feature-extraction", server.Requests()[0].Path, url.PathEscape(model))
	}
}

func TestNewChecksHowEmbeddingsAreMade(t *testing.T) {
	t.Parallel()
	for word, opts := range map[string]huggingface.Options{
		"mean, cls, max or last": {Pooling: "average"}, "has no name": {Prompts: map[string]string{"query": ""}},
	} {
		_, err := huggingface.New("huggingface", huggingface.BaseURL, llm.NewHTTPClient(), opts)
		require.ErrorContains(t, err, word)
	}
}
