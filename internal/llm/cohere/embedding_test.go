package cohere_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// embeddings writes an answer with vectors of a type, which are JSON texts.
func embeddings(tokens int, kind string, vectors ...string) string {
	return `{"id":"e1","embeddings":{"` + kind + `":[` + strings.Join(vectors, ",") + `]},"texts":["text number 0"],"meta":{"api_version":{"version":"2"},` +
		`"billed_units":{"input_tokens":` + strconv.Itoa(tokens) + `.0}},"response_type":"embeddings_by_type"}`
}

// embedDialect is what the suite has to know of Cohere's embeddings, as numbers or in base64.
func embedDialect(kind string) llmtest.EmbedDialect {
	bad := func(name, body, says string) llmtest.Failing {
		return llmtest.Failing{Name: name, Body: body, Class: llm.ClassAnswer, Code: events.CodeInternal, Says: says}
	}
	return llmtest.EmbedDialect{
		New: func(t testing.TB, url string, client *http.Client) llm.EmbedAdapter {
			t.Helper()
			return connect(t, cohere.Config{Provider: "acme", BaseURL: url + "/v2", HTTP: client, Base64: kind == "base64"})
		},
		Provider: "acme",
		Answer: func(r llmtest.EmbedReply) string {
			var vectors []string
			for _, item := range r.Items {
				vectors = append(vectors, item.Vector)
			}
			return embeddings(r.Tokens, kind, vectors...)
		},
		Sent: func(t testing.TB, req *http.Request, body []byte) llmtest.EmbedSent {
			t.Helper()
			var got struct {
				Model      string   `json:"model"`
				InputType  string   `json:"input_type"`
				Texts      []string `json:"texts"`
				Types      []string `json:"embedding_types"`
				Dimensions int      `json:"output_dimension"`
				Truncate   string   `json:"truncate"`
			}
			llmtest.ReadSent(t, body, &got)
			require.Equal(t, "POST /v2/embed", req.Method+" "+req.URL.Path)
			require.Equal(t, []string{kind}, got.Types)
			require.Contains(t, []string{"NONE", "END"}, got.Truncate)
			return llmtest.EmbedSent{
				Model: got.Model, Texts: got.Texts, Dimensions: got.Dimensions, InputType: got.InputType, Truncate: got.Truncate == "END",
			}
		},
		Counts: true, Truncates: true, Base64: true, Outputs: llm.OutputTypes(), Dimensions: []int{256, 512, 1024, 1536},
		InputTypes: map[string]string{
			"": "search_document", events.InputDocument: "search_document", events.InputQuery: "search_query",
			events.InputClassification: "classification", events.InputClustering: "clustering",
		},
		Error: failure, InAnswer: failure,
		TooLong: llmtest.Failing{Status: 400, Body: failure("invalid request: text at position 1 exceeds the maximum token length of 512")},
		Errors: []llmtest.Failing{
			{Name: "too many tokens", Status: 400, Body: failure("too many tokens: 600"), Class: llm.ClassUnsupported, Code: events.CodeInvalidArgument},
			{
				Name: "of a conversation", Status: 400, Body: failure("max_tokens exceeds the length of the context"),
				Class: llm.ClassCaller, Code: events.CodeInvalidArgument, Says: "max_tokens",
			},
			{Name: "a blocked key", Status: 498, Body: failure("said so"), Class: llm.ClassKey, Code: events.CodeUnauthenticated},
			{Name: "cut off", Status: 499, Body: failure("said so"), Class: llm.ClassProvider, Code: events.CodeUnavailable, Retryable: true},
			{
				Name: "no such model", Status: 404, Body: failure("model 'm' not found, make sure the correct model ID was used"),
				Class: llm.ClassModel, Code: events.CodeNotFound, Says: "correct model ID",
			},
		},
		AnswerErrors: []llmtest.Failing{
			bad("nothing", `{"id":"e1"}`, "no embeddings by type"),
			bad("of the first version", `{"embeddings":[[1,2],[3,4]]}`, "no embeddings by type"),
			bad("of another type", `{"embeddings":{"int8":[[1,2],[3,4]]}}`, "no embeddings."+kind),
			bad("no list", `{"embeddings":{"float":{"0":[1]}}}`, "is missing"),
			bad("twice", `{"embeddings":{"float":[[1,2],[3,4]],"float":[[1,2],[3,4]]}}`, "come twice"),
			bad("in both forms", `{"embeddings":{"float":[[1,2],[3,4]],"base64":[[1,2],[3,4]]}}`, "come twice"),
			bad("nothing of the type", `{"embeddings":{"float":null}}`, "no embeddings."+kind),
			bad("a bill of another type", `{"embeddings":{"float":[[1,2],[3,4]]},"meta":{"billed_units":"many"}}`, "not the JSON"),
			bad("too flat", `{"embeddings":{"float":[1,2]}}`, "neither a list of numbers nor"),
			bad("too deep", `{"embeddings":{"float":[[[1,2]],[[1,2]]]}}`, "else than a number"),
		},
	}
}

func TestEmbed(t *testing.T) { // rows of it measure memory
	for _, kind := range []string{"float", "base64"} {
		t.Run(kind, func(t *testing.T) { llmtest.RunEmbed(t, embedDialect(kind)) }) //nolint:paralleltest // the same
	}
}

func FuzzEmbed(f *testing.F) { llmtest.FuzzEmbed(f, embedDialect("base64")) }

func TestEmbedRefuses(t *testing.T) {
	t.Parallel()
	r := &recorder{body: embeddings(1, "float", "[1]")}
	for _, c := range []struct {
		call llm.EmbedCall
		code events.Code
		says string
	}{
		{llm.EmbedCall{Texts: make([]string, cohere.MaxTexts+1)}, events.CodeInvalidArgument, "these are 97 texts; Cohere takes 96"},
		{llm.EmbedCall{Texts: []string{"a"}, Dimensions: 300}, events.CodeUnsupported, "dimensions: Cohere has 256"},
		{llm.EmbedCall{Texts: []string{"a"}, InputType: "image"}, events.CodeUnsupported, "input_type: Cohere has query"},
	} {
		_, err := r.client(t).Embed(t.Context(), &c.call)
		fault := llm.FaultOf(err)
		require.Equal(t, []any{llm.ClassUnsupported, c.code}, []any{fault.Class, fault.Err.Code})
		require.ErrorContains(t, fault, c.says)
		require.Nil(t, r.request, "nothing is sent")
	}
	limits, err := r.client(t).EmbedLimits(t.Context(), "m", secret.Value{})
	require.NoError(t, err)
	require.Equal(t, llm.EmbedLimits{Items: 96}, limits)
}
