package embedder_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/shape"
)

const (
	interactive = "mlsdm.embed"
	durable     = "mlsdm.requests.embed"
)

// response decodes a reply that must be none of an error.
func response(t *testing.T, m doortest.Message) events.EmbeddingsResponse {
	t.Helper()
	require.Nil(t, m.Err())
	return doortest.JSON[events.EmbeddingsResponse](t, m)
}

// unit is the vector of the test's server, as it is passed on.
func unit(text string) []float32 {
	v, _ := shape.Normalize(llmtest.Vector(text, llmtest.ServerDimensions))
	return v
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, environment := range map[string]map[string]string{
		"workers":              {"EMBEDDER_WORKERS": "0"},
		"timeout":              {"EMBEDDER_TIMEOUT": "0s"},
		"max-attempts":         {"EMBEDDER_MAX_ATTEMPTS": "-1"},
		"openai-base-url":      {"OPENAI_BASE_URL": "localhost:11434"},
		"cohere-base-url":      {"COHERE_BASE_URL": "/v1"},
		"default-model":        {"EMBEDDER_DEFAULT_MODEL": "openai/text-embedding-3-small"}, // without a key
		"available: local/":    {"EMBEDDER_DEFAULT_MODEL": "local/hash"},
		"redis-port":           {"REDIS_HOST": "redis", "REDIS_PORT": "0"},
		"API key":              {"OPENAI_API_KEY": "hunter2 and more"},
		"must not hold creden": {"OPENAI_BASE_URL": "https://user:hunter2@host/v1"},
	} {
		_, err := configure(t, environment)
		require.ErrorContains(t, err, name)
		require.NotContains(t, err.Error(), "hunter2")
	}
	cfg, err := configure(t, nil)
	require.NoError(t, err)
	require.Empty(t, cfg.DefaultModel)
	_, err = configure(t, map[string]string{"OPENAI_BASE_URL": "http://localhost:11434/v1", "EMBEDDER_DEFAULT_MODEL": "openai/nomic-embed-text"})
	require.NoError(t, err, "another server than OpenAI may need no key")
}

func TestLocalModel(t *testing.T) {
	t.Parallel()
	s, _, _ := start(t, map[string]string{"EMBEDDER_DEFAULT_MODEL": "local/hash-384"})
	for _, body := range []string{`{"input":"hello"}`, `{"model":"local/hash-384","input":["hello"]}`, `{"input":"hello","encoding_format":"base64","future":1}`} {
		res := response(t, s.Ask(t, interactive, []byte(body)))
		require.Equal(t, "list", res.Object)
		require.Equal(t, "local/hash-384", res.Model)
		require.Len(t, res.Data, 1)
		require.Equal(t, "embedding", res.Data[0].Object)
		require.Len(t, res.Data[0].Embedding.Values, 384)
		require.Equal(t, strings.Contains(body, "base64"), res.Data[0].Embedding.Base64)
		require.Equal(t, events.EmbeddingsUsage{PromptTokens: 1, TotalTokens: 1}, res.Usage)
		told := s.Processed(t)
		require.Equal(t, "local/hash-384", told.Model)
		require.Equal(t, 1, told.Inputs)
		require.Equal(t, 1, told.PromptTokens)
	}
	inOrder := response(t, s.Ask(t, "mlsdm.as.alice.embed", []byte(`{"input":["a","b","a"]}`)))
	require.Equal(t, []int{0, 1, 2}, []int{inOrder.Data[0].Index, inOrder.Data[1].Index, inOrder.Data[2].Index})
	require.Equal(t, inOrder.Data[0].Embedding, inOrder.Data[2].Embedding)
	require.NotEqual(t, inOrder.Data[0].Embedding, inOrder.Data[1].Embedding)
}

func TestDurableDoor(t *testing.T) {
	t.Parallel()
	s, provider, _ := start(t, map[string]string{"CACHE_MEMORY_MB": "0"})
	s.Publish(t, durable, "req-1", []byte(`{"model":"openai/m","input":["a","b"]}`), events.HeaderResultTTL, "2h")
	result := s.Results().Next(t)
	require.Equal(t, "mlsdm.results.default.req-1", result.Subject)
	require.Equal(t, "7200s", result.Value(events.HeaderMsgTTL))
	res := response(t, result)
	require.Equal(t, "openai/m", res.Model, "the model that was asked for, whatever the provider calls it")
	require.Equal(t, unit("b"), res.Data[1].Embedding.Values)
	told := s.Processed(t)
	require.Equal(t, "req-1", told.RequestID)
	require.Equal(t, events.DoorDurable, told.Door)

	require.True(t, s.Publish(t, durable, "req-1", []byte(`{"model":"openai/m","input":"c"}`)).Duplicate)
	s.Results().Nothing(t)
	require.Len(t, provider.Requests(), 1)

	provider.Script(llmtest.Answer(http.StatusTooManyRequests, `{}`, "Retry-After: 30"))
	s.Publish(t, "mlsdm.as.alice.requests.embed", "req-2", []byte(`{"model":"openai/m","input":"c"}`), events.HeaderTimeoutMS, "10000")
	result = s.Results().Next(t)
	require.Equal(t, "mlsdm.results.alice.req-2", result.Subject)
	require.Equal(t, events.CodeRateLimited, result.Err().Code, "to wait as long as the provider asks would be for nobody")
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	s, provider, _ := start(t, map[string]string{"EMBEDDER_DEFAULT_MODEL": "local/hash-384"})
	many, err := json.Marshal(map[string]any{"input": strings.Split(strings.Repeat("x,", 2048)+"x", ",")})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		body string
		code events.Code
		says string
	}{
		"empty body":       {``, events.CodeInvalidArgument, "empty"},
		"not JSON":         {`hello`, events.CodeInvalidArgument, "not JSON"},
		"two values":       {`{"input":"a"}{}`, events.CodeInvalidArgument, "after"},
		"a list":           {`["a"]`, events.CodeInvalidArgument, "object"},
		"no input":         {`{}`, events.CodeInvalidArgument, "input"},
		"null input":       {`{"input":null}`, events.CodeInvalidArgument, "input"},
		"empty list":       {`{"input":[]}`, events.CodeInvalidArgument, "input"},
		"empty text":       {`{"input":["a",""]}`, events.CodeInvalidArgument, "input[1]"},
		"blank text":       {`{"input":" "}`, events.CodeInvalidArgument, "text"},
		"a number":         {`{"input":5}`, events.CodeInvalidArgument, "input"},
		"mixed":            {`{"input":["a",5]}`, events.CodeInvalidArgument, "input"},
		"token ids":        {`{"input":[1,2]}`, events.CodeUnsupported, "input: it takes no token ids"},
		"lists of ids":     {`{"input":[[1,2],[3]]}`, events.CodeUnsupported, "input: it takes no token ids"},
		"ids and a text":   {`{"input":[1,"a"]}`, events.CodeInvalidArgument, "input[1] is a text"},
		"no ids":           {`{"input":[[]]}`, events.CodeInvalidArgument, "input[0]"},
		"too many":         {string(many), events.CodeInvalidArgument, "2048"},
		"model a number":   {`{"model":5,"input":"a"}`, events.CodeInvalidArgument, "model"},
		"no provider":      {`{"model":"hash-384","input":"a"}`, events.CodeNotFound, "is local/hash-384 meant?"},
		"unknown model":    {`{"model":"local/bert","input":"a"}`, events.CodeNotFound, "local/hash-384, local/use-lite-512, openai/*"},
		"unknown provider": {`{"model":"cohere/embed-v4.0","input":"a"}`, events.CodeNotFound, "local/hash-384"},
		"not at provider":  {`{"model":"openai/no-such-model","input":"a"}`, events.CodeNotFound, "does not exist"},
		"dimensions":       {`{"input":"a","dimensions":5}`, events.CodeUnsupported, "384"},
		"more dimensions":  {`{"input":"a","dimensions":5000}`, events.CodeInvalidArgument, "384"},
		"input type":       {`{"input":"a","input_type":"search_query"}`, events.CodeInvalidArgument, "input_type"},
		"truncate":         {`{"input":"a","truncate":"start"}`, events.CodeInvalidArgument, "truncate"},
		"negative":         {`{"input":"a","dimensions":-5}`, events.CodeInvalidArgument, "dimensions"},
		"encoding":         {`{"input":"a","encoding_format":"hex"}`, events.CodeInvalidArgument, "encoding_format"},
		"bad UTF-8":        {"{\"input\":\"a\xff\"}", events.CodeInvalidArgument, "UTF-8"},
		"too deep":         {`{"input":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, events.CodeInvalidArgument, "deep"},
		"2 MiB":            {`{"input":"` + strings.Repeat("x", 2<<20) + `"}`, events.CodeInvalidArgument, "1048576"},
	} {
		answer := s.Ask(t, interactive, []byte(c.body)).Err()
		require.NotNil(t, answer, name)
		require.Equal(t, c.code, answer.Code, name)
		require.Contains(t, answer.Message, c.says, name)
		require.False(t, answer.Retryable)
		require.Equal(t, c.code, s.Processed(t).Code, name)

		if name == "too many" || name == "2 MiB" { // a durable request may hold more
			continue
		}
		s.Publish(t, durable, "", []byte(c.body))
		answer = s.Results().Next(t).Err()
		require.NotNil(t, answer, name)
		require.Equal(t, c.code, answer.Code, "durable: %s", name)
		s.Processed(t)
	}
	require.Len(t, provider.Requests(), 2, "only the one model that is the provider's to judge")
	s.Dead().Nothing(t)
	require.Nil(t, s.Ask(t, interactive, []byte(`{"input":"still here"}`)).Err())
}

func TestRequestWithoutReply(t *testing.T) {
	t.Parallel()
	s, provider, _ := start(t, nil)
	conn := s.Server.Conn(t)
	require.NoError(t, conn.Publish(interactive, []byte(`{"model":"openai/m","input":"a"}`)))
	require.NoError(t, conn.Flush())
	require.Nil(t, s.Ask(t, interactive, []byte(`{"model":"local/hash-384","input":"a"}`)).Err())
	require.Empty(t, provider.Requests(), "nobody could hear the answer, so nobody works for it")
}

func TestProviderFailures(t *testing.T) {
	t.Parallel()
	s, provider, _ := start(t, nil)
	provider.Script(llmtest.Answer(http.StatusTooManyRequests, `{"error":{"message":"slow down"}}`, "Retry-After: 60"))
	failure := s.Ask(t, interactive, []byte(`{"model":"openai/m","input":"a"}`)).Err()
	require.Equal(t, events.CodeRateLimited, failure.Code)
	require.InDelta(t, time.Minute, failure.RetryAfter, float64(30*time.Second))
	require.True(t, failure.Retryable)
	require.Equal(t, "openai", failure.Provider)

	s, provider, _ = start(t, nil) // the key of the first rests
	provider.Script(llmtest.Answer(http.StatusUnauthorized, `{"error":{"message":"Bearer `+llmtest.Key+` is no good"}}`))
	answer := s.Ask(t, interactive, []byte(`{"model":"openai/m","input":"a"}`))
	require.Equal(t, events.CodeUnauthenticated, answer.Err().Code)
	require.NotContains(t, string(answer.Body), llmtest.Key)
	require.NotContains(t, answer.Value(events.HeaderError), llmtest.Key)
}

func TestReplyTooLarge(t *testing.T) {
	t.Parallel()
	s, _, _ := start(t, nil)
	texts := strings.Split(strings.Repeat("x,", 2000)+"x", ",")
	ask := func(format string, dimensions int) doortest.Message {
		body, err := json.Marshal(map[string]any{"model": "openai/m", "input": texts, "encoding_format": format, "dimensions": dimensions})
		require.NoError(t, err)
		return s.Ask(t, interactive, body)
	}
	failure := ask("float", 600).Err()
	require.Equal(t, events.CodeInvalidArgument, failure.Code)
	require.Regexp(t, `about \d+ texts of this model fit, or about twice as many with "encoding_format": "base64"`, failure.Message)
	require.Len(t, response(t, ask("base64", 600)).Data, 2001)
}

func TestCache(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	s, provider, checks := start(t, map[string]string{"REDIS_HOST": redis.Host(), "REDIS_PORT": redis.Port()})
	ask := func(subject, body string) events.EmbeddingsResponse {
		return response(t, s.Ask(t, subject, []byte(body)))
	}
	sent := func() (texts []string) {
		requests := provider.Requests()
		var req events.EmbeddingsRequest
		require.NoError(t, json.Unmarshal(requests[len(requests)-1].Body, &req))
		return req.Input
	}

	first := ask(interactive, `{"model":"openai/m","input":["a","b","a"]}`)
	require.Equal(t, []string{"a", "b"}, sent(), "each text is paid for once")
	require.Equal(t, unit("a"), first.Data[2].Embedding.Values)
	require.Zero(t, s.Processed(t).CachedInputs)

	second := ask(interactive, `{"model":"openai/m","input":["b","c","a"]}`)
	require.Equal(t, []string{"c"}, sent())
	require.Equal(t, first.Data[0].Embedding, second.Data[2].Embedding)
	require.Equal(t, 2, s.Processed(t).CachedInputs)
	require.Len(t, provider.Requests(), 2)

	third := ask(interactive, `{"model":"openai/m","input":["a","b"],"encoding_format":"base64"}`)
	require.Len(t, provider.Requests(), 2, "all of it was known")
	require.Zero(t, third.Usage.PromptTokens, "nothing was paid for")
	require.True(t, third.Data[0].Embedding.Base64)
	s.Processed(t)

	ask("mlsdm.as.alice.embed", `{"model":"openai/m","input":"a"}`)
	require.Len(t, provider.Requests(), 3, "callers do not share")
	ask(interactive, `{"model":"openai/m","input":"a","dimensions":4}`)
	require.Len(t, provider.Requests(), 4)

	for _, key := range redis.Keys() {
		require.True(t, strings.HasPrefix(key, "mlsdm:emb:v2:"), key)
	}
	require.Equal(t, health.StatusReady, checks.Run(t.Context()).Status)
	redis.SetError("OOM")
	report := checks.Run(t.Context())
	require.Equal(t, health.StatusDegraded, report.Status)
	require.Contains(t, report.Checks["cache"].Message, "OOM")
	ask(interactive, `{"model":"openai/m","input":"after"}`)
}

// TestAnotherModelBehindTheName: its vectors are refused until the operator agrees, and those of before are not used after that.
func TestAnotherModelBehindTheName(t *testing.T) {
	t.Parallel()
	s, provider, _ := start(t, nil)
	provider.Script(llmtest.Answer(http.StatusOK, `{"data":[{"index":0,"embedding":[1,2,3]}],"usage":{"prompt_tokens":1}}`))
	res := response(t, s.Ask(t, interactive, []byte(`{"model":"openai/m","input":"old"}`)))
	require.Len(t, res.Data[0].Embedding.Values, 3)
	require.Equal(t, &events.EmbeddingSpace{ID: "openai/m/3", Model: "openai/m", Dimensions: 3, Normalized: true}, res.Space)

	answer := s.Ask(t, interactive, []byte(`{"model":"openai/m","input":"new"}`)).Err()
	require.Equal(t, events.CodeFailedPrecondition, answer.Code)
	require.Contains(t, answer.Message, "mlsdmctl spaces accept openai/m")
	res = response(t, s.Ask(t, interactive, []byte(`{"model":"openai/m","input":["old","new"]}`)))
	require.Equal(t, 1, res.Failed)
	require.Len(t, res.Data[0].Embedding.Values, 3, "what is known is still of the model that is pinned")
	require.Equal(t, events.CodeFailedPrecondition, res.Data[1].Error.Code)
	require.Empty(t, res.Data[1].Embedding.Values)

	_, err := spaces.Accept(t.Context(), s.Bus, "openai/m", llmtest.ServerDimensions)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		m := s.Ask(t, interactive, []byte(`{"model":"openai/m","input":["old","new"]}`))
		if m.Err() != nil {
			return false
		}
		res = response(t, m)
		return res.Failed == 0
	}, doortest.Patience, 10*time.Millisecond)
	require.Equal(t, unit("old"), res.Data[0].Embedding.Values)
	require.Equal(t, unit("new"), res.Data[1].Embedding.Values)
	require.Equal(t, "openai/m/8", res.Space.ID)
}

// TestNonsenseInTheCache is as good as nothing.
func TestNonsenseInTheCache(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	settings := map[string]string{"REDIS_HOST": redis.Host(), "REDIS_PORT": redis.Port()}
	s, provider, _ := start(t, settings)
	response(t, s.Ask(t, interactive, []byte(`{"model":"openai/m","input":"old"}`)))
	settings["OPENAI_BASE_URL"] = provider.URL
	other, _, _ := start(t, settings)
	require.NotEmpty(t, redis.Keys())
	for _, key := range redis.Keys() {
		require.NoError(t, redis.Set(key, "nonsense"))
	}
	before := len(provider.Requests())
	res := response(t, other.Ask(t, interactive, []byte(`{"model":"openai/m","input":["old","new"]}`)))
	require.Equal(t, unit("old"), res.Data[0].Embedding.Values)
	require.Len(t, provider.Requests(), before+1)
}

func TestDeadlineReachesTheProvider(t *testing.T) {
	t.Parallel()
	s, provider, _ := start(t, nil)
	canceled := make(chan struct{})
	provider.Script(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(canceled)
	})
	s.Publish(t, durable, "r", []byte(`{"model":"openai/m","input":"a"}`), events.HeaderTimeoutMS, "100")
	require.Equal(t, events.CodeDeadlineExceeded, s.Results().Next(t).Err().Code)
	ctx, cancel := context.WithTimeout(t.Context(), doortest.Patience)
	defer cancel()
	select {
	case <-canceled:
	case <-ctx.Done():
		t.Fatal("the provider still works for nobody")
	}
}

// TestARealModelWithNothingConfigured: what means the same is near, and what does not is far.
func TestARealModelWithNothingConfigured(t *testing.T) {
	t.Parallel()
	s, _, _ := start(t, nil)
	body := []byte(`{"model":"local/use-lite-512","input":["I have to reset my password","I forgot my login","What is the weather in Paris?"]}`)
	res := response(t, s.Ask(t, interactive, body))
	require.Equal(t, "local/use-lite-512", res.Model)
	require.Len(t, res.Data, 3)
	require.Positive(t, res.Usage.PromptTokens)
	near := cosine(res.Data[0].Embedding.Values, res.Data[1].Embedding.Values)
	far := cosine(res.Data[0].Embedding.Values, res.Data[2].Embedding.Values)
	require.Len(t, res.Data[0].Embedding.Values, 512)
	require.Greater(t, near, far+0.3)
	again := s.Ask(t, interactive, body)
	require.Equal(t, res.Data, response(t, again).Data)
}

// cosine is that of two vectors of length 1.
func cosine(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
