package tei_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/tei"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// failure writes the body of an error.
func failure(message, kind string) string {
	text, err := json.Marshal(map[string]string{"error": message, "error_type": kind})
	if err != nil {
		panic(err) // strings can always be written
	}
	return string(text)
}

// sent is the body of a request.
type sent struct {
	Inputs     []string `json:"inputs"`
	Normalize  *bool    `json:"normalize"`
	Truncate   *bool    `json:"truncate"`
	PromptName string   `json:"prompt_name"`
	Dimensions int      `json:"dimensions"`
}

// dialect is what the suite has to know of the server.
func dialect() llmtest.EmbedDialect {
	bad := func(name, body, says string) llmtest.Failing {
		return llmtest.Failing{Name: name, Body: body, Class: llm.ClassAnswer, Code: events.CodeInternal, Says: says}
	}
	much := func(name, says string) llmtest.Failing {
		return llmtest.Failing{
			Name: name, Status: 413, Body: failure(says, "Validation"), Class: llm.ClassUnsupported, Code: events.CodeInvalidArgument, Says: says,
		}
	}
	return llmtest.EmbedDialect{
		New: func(t testing.TB, url string, client *http.Client) llm.EmbedAdapter {
			t.Helper()
			c, err := tei.New(tei.Config{
				Provider: "acme", BaseURL: url + "/v1/", HTTP: client,
				Prompts: map[string]string{events.InputQuery: "query", events.InputDocument: "passage"},
			})
			require.NoError(t, err)
			return c
		},
		Provider: "acme",
		Answer: func(r llmtest.EmbedReply) string {
			var vectors []string
			for _, item := range r.Items {
				vectors = append(vectors, item.Vector)
			}
			return "[" + strings.Join(vectors, ",") + "]"
		},
		Header: func(r llmtest.EmbedReply) []string {
			return []string{"X-Compute-Type: cpu+optimized", "X-Compute-Tokens: " + strconv.Itoa(r.Tokens)}
		},
		Sent: func(t testing.TB, req *http.Request, body []byte) llmtest.EmbedSent {
			t.Helper()
			var got sent
			llmtest.ReadSent(t, body, &got)
			require.Equal(t, "POST /embed", req.Method+" "+req.URL.Path)
			require.NotNil(t, got.Truncate, "it is always said")
			require.True(t, *got.Normalize)
			return llmtest.EmbedSent{
				Model: "m", // a server has one
				Texts: got.Inputs, Dimensions: got.Dimensions, InputType: got.PromptName, Truncate: *got.Truncate,
			}
		},
		Tokens: "inputs", Counts: true, Truncates: true, Dimensions: []int{3, 256},
		InputTypes: map[string]string{
			"": "", events.InputQuery: "query", events.InputDocument: "passage", events.InputClassification: "", events.InputClustering: "",
		},
		Error:    func(message string) string { return failure(message, "Backend") },
		InAnswer: func(message string) string { return failure(message, "Backend") },
		TooLong:  much("", "Input validation error: `inputs` must have less than 512 tokens. Given: 534"),
		Errors: []llmtest.Failing{
			much("too many characters", "Input validation error: `inputs` must have less than 32000 characters. Given: 67337"),
			much("too many texts", "batch size 64 > maximum allowed batch size 32"),
			{
				Name: "too many bytes", Status: 413, Body: "Failed to buffer the request body: length limit exceeded", Header: []string{"Content-Type: text/plain"},
				Class: llm.ClassUnsupported, Code: events.CodeInvalidArgument, Says: "length limit exceeded",
			},
			{
				Name: "no such prompt", Status: 413, Class: llm.ClassUnsupported, Code: events.CodeUnsupported, Says: "not found",
				Body: failure("Input validation error: `default-prompt-name` is set to `query` but it was not found in the Sentence Transformers prompts.", "Validation"),
			},
			{
				Name: "overloaded", Status: 429, Body: failure("Model is overloaded", "Overloaded"),
				Class: llm.ClassLimit, Code: events.CodeRateLimited, Retryable: true, Says: "overloaded",
			},
			{
				Name: "tokenizer", Status: 422, Body: failure("Tokenization error", "Tokenizer"),
				Class: llm.ClassCaller, Code: events.CodeInvalidArgument, Says: "Tokenization error",
			},
			{
				Name: "backend", Status: 424, Body: failure("Inference failed", "Backend"),
				Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "Inference failed",
			},
			{
				Name: "unhealthy", Status: 503, Body: failure("unhealthy", "Unhealthy"),
				Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true, Says: "unhealthy",
			},
			{Name: "empty", Status: 400, Body: failure("`inputs` cannot be empty", "Empty"), Class: llm.ClassCaller, Code: events.CodeInvalidArgument},
			{Name: "no key", Status: 401, Class: llm.ClassKey, Code: events.CodeUnauthenticated},
		},
		AnswerErrors: []llmtest.Failing{
			bad("null", `null`, "no list of vectors"),
			bad("a number", `1`, "no list of vectors"),
			bad("too flat", `[1,2]`, "is missing"),
			bad("tokens", `[[[1,2],[1,2]]]`, "else than a number"),
			bad("five deep", `[[[[[1]]]]]`, "else than a number"),
		},
	}
}

func TestEmbed(t *testing.T) { // rows of it measure memory
	llmtest.RunEmbed(t, dialect())
}

func FuzzEmbed(f *testing.F) { llmtest.FuzzEmbed(f, dialect()) }

func TestRaw(t *testing.T) {
	t.Parallel()
	r := &recorder{body: "[[3,4]]"}
	c := r.client(t, tei.Config{Raw: true, Prompts: map[string]string{"": "plain"}, Header: http.Header{"X-Own": {"1"}}})
	got, err := c.Embed(t.Context(), &llm.EmbedCall{Texts: []string{"a"}})
	require.NoError(t, err)
	require.Equal(t, [][]float32{{3, 4}}, got.Vectors)
	require.Zero(t, got.PromptTokens, "it has not told")
	require.JSONEq(t, `{"inputs":["a"],"normalize":false,"truncate":false,"prompt_name":"plain"}`, r.sent)
	require.Equal(t, "1", r.requests[0].Header.Get("X-Own"))
	require.Equal(t, "http://tei.test/embed", r.requests[0].URL.String())
}

// TestTokenIDs: where the server would put a prompt before the text, they are refused.
func TestTokenIDs(t *testing.T) {
	t.Parallel()
	r := &recorder{body: "[[3,4]]"}
	c := r.client(t, tei.Config{Prompts: map[string]string{events.InputQuery: "query"}})
	_, err := c.Embed(t.Context(), &llm.EmbedCall{Tokens: [][]int32{{101, 7}}, InputType: events.InputQuery})
	require.Equal(t, llm.ClassUnsupported, llm.FaultOf(err).Class)
	require.ErrorContains(t, err, "input: a prompt")
	require.Empty(t, r.requests)
	got, err := c.Embed(t.Context(), &llm.EmbedCall{Tokens: [][]int32{{101, 7}}, InputType: events.InputDocument})
	require.NoError(t, err)
	require.Len(t, got.Vectors, 1)
	require.JSONEq(t, `{"inputs":[[101,7]],"normalize":true,"truncate":false}`, r.sent)
}

func TestNewChecks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg  tei.Config
		says string
	}{
		{tei.Config{Provider: "tei", HTTP: &http.Client{}}, "base URL"},
		{tei.Config{Provider: "tei", BaseURL: "http://a"}, "HTTP"},
		{tei.Config{Provider: "tei", BaseURL: "http://a", HTTP: &http.Client{}, Prompts: map[string]string{"query": ""}}, "has no name"},
	} {
		_, err := tei.New(c.cfg)
		require.ErrorContains(t, err, c.says)
	}
}
