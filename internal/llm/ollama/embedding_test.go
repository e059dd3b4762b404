package ollama_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/ollama"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// embeddings writes an answer with vectors, which are JSON texts.
func embeddings(tokens int, vectors ...string) string {
	return `{"model":"m","embeddings":[` + strings.Join(vectors, ",") + `],"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":` +
		strconv.Itoa(tokens) + `}`
}

// embedDialect is what the suite has to know of Ollama's embeddings.
func embedDialect() llmtest.EmbedDialect {
	bad := func(name, body, says string) llmtest.Failing {
		return llmtest.Failing{Name: name, Body: body, Class: llm.ClassAnswer, Code: events.CodeInternal, Says: says}
	}
	long := func(name string, status int, says string) llmtest.Failing {
		return llmtest.Failing{
			Name: name, Status: status, Body: failure(says), Class: llm.ClassUnsupported, Code: events.CodeInvalidArgument, Says: "context",
		}
	}
	return llmtest.EmbedDialect{
		New: func(t testing.TB, url string, client *http.Client) llm.EmbedAdapter {
			t.Helper()
			return connect(t, ollama.Config{Provider: "acme", BaseURL: url + "/api/", HTTP: client})
		},
		Provider: "acme",
		Answer: func(r llmtest.EmbedReply) string {
			var vectors []string
			for _, item := range r.Items {
				vectors = append(vectors, item.Vector)
			}
			return embeddings(r.Tokens, vectors...)
		},
		Sent: func(t testing.TB, req *http.Request, body []byte) llmtest.EmbedSent {
			t.Helper()
			var got struct {
				Model      string   `json:"model"`
				Input      []string `json:"input"`
				Truncate   *bool    `json:"truncate"`
				Dimensions int      `json:"dimensions"`
			}
			llmtest.ReadSent(t, body, &got)
			require.Equal(t, "POST /api/embed", req.Method+" "+req.URL.Path)
			require.NotNil(t, got.Truncate, "it is always said")
			return llmtest.EmbedSent{Model: got.Model, Texts: got.Input, Dimensions: got.Dimensions, Truncate: *got.Truncate}
		},
		Counts: true, Truncates: true, Dimensions: []int{3, 256},
		Error: failure, InAnswer: failure,
		TooLong: llmtest.Failing{Status: 400, Body: failure("the input length exceeds the context length")},
		Errors: []llmtest.Failing{
			{
				Name: "a model that is not there", Status: 404, Body: failure(`model "m" not found, try pulling it first`),
				Class: llm.ClassModel, Code: events.CodeNotFound, Says: "ollama pull m",
			},
			{
				Name: "a model that has none", Status: 500, Body: failure("this model does not support embeddings"),
				Class: llm.ClassUnsupported, Code: events.CodeUnsupported, Says: "does not support embeddings",
			},
			{
				Name: "no number", Status: 500, Body: failure("failed to encode response: json: unsupported value: NaN"),
				Class: llm.ClassAnswer, Code: events.CodeInternal, Says: "not finite",
			},
			{
				Name: "too much to do", Status: 503, Body: failure("server busy, please try again.  maximum pending requests exceeded"),
				Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "server busy",
			},
			long("too long, at first", 400, "input length exceeds maximum context length"),
			long("too long, as a failure", 500, "the input length exceeds the context length"),
			long("too long, by the runner", 500, `{"error":{"code":400,"message":"no","type":"exceed_context_size_error","n_prompt_tokens":2622,"n_ctx":512}}`),
		},
		AnswerErrors: []llmtest.Failing{
			bad("nothing", `{"model":"m"}`, "no embeddings"),
			bad("of the old path", `{"embedding":[1,2]}`, "no embeddings"),
			bad("no list", `{"embeddings":{"0":[1]}}`, "is missing"),
			bad("twice", `{"embeddings":[[1,2],[3,4]],"embeddings":[[1,2],[3,4]]}`, "come twice"),
			bad("a count of another type", `{"embeddings":[[1,2],[3,4]],"prompt_eval_count":"many"}`, "not the JSON"),
			bad("too flat", `{"embeddings":[1,2]}`, "is missing"),
			bad("too deep", `{"embeddings":[[[1,2]],[[1,2]]]}`, "else than a number"),
			{
				Name: "an error beside nothing", Body: `{"embeddings":null,"error":"out of luck"}`,
				Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "out of luck",
			},
		},
	}
}

func TestEmbed(t *testing.T) { // rows of it measure memory
	llmtest.RunEmbed(t, embedDialect())
}

func FuzzEmbed(f *testing.F) { llmtest.FuzzEmbed(f, embedDialect()) }

func TestEmbedLimits(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	limits, err := connect(t, ollama.Config{HTTP: &http.Client{Transport: r}}).EmbedLimits(t.Context(), "m", secret.Value{})
	require.NoError(t, err)
	require.Equal(t, llm.EmbedLimits{Items: 512}, limits)
	require.Nil(t, r.request, "nobody is asked")
}
