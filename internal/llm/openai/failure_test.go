package openai_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// embedOne asks for the vector of a text.
func embedOne(ctx context.Context, a *openai.Adapter, key string) error {
	_, err := a.Embed(ctx, &llm.EmbedCall{Model: "m", Texts: []string{"a"}, Key: secret.NewValue(key)})
	return err
}

func TestErrorBodies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status    int
		body      string
		header    []string
		code      events.Code
		message   string
		retryable bool
		after     time.Duration
	}{
		"OpenAI":             {401, `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, nil, events.CodeUnauthenticated, "Incorrect API key provided", false, 0},
		"rate limit":         {429, `{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`, []string{"Retry-After-Ms: 1500", "Retry-After: 2"}, events.CodeRateLimited, "slow down", true, 1500 * time.Millisecond},
		"quota":              {429, `{"error":{"message":"You exceeded your quota","type":"insufficient_quota","code":"insufficient_quota"}}`, []string{"Retry-After: 2"}, events.CodeRateLimited, "quota", false, 0},
		"credit":             {429, `{"error":{"message":"pay","code":"credit_balance_exhausted"}}`, nil, events.CodeRateLimited, "pay", false, 0},
		"Anthropic overload": {529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, nil, events.CodeUnavailable, "Overloaded", true, 0},
		"Hugging Face":       {410, `{"error":"use https://router.huggingface.co instead"}`, nil, events.CodeNotFound, "use https", false, 0},
		"Cohere":             {422, `{"message":"unknown field: parameter 'stream_options' is not a valid field","id":"1"}`, nil, events.CodeInvalidArgument, "unknown field", false, 0},
		"TEI":                {413, `{"error":"batch size 64 > maximum 32","error_type":"Validation"}`, nil, events.CodeInvalidArgument, "maximum 32", false, 0},
		"FastAPI":            {404, `{"detail":"Not Found"}`, nil, events.CodeNotFound, "Not Found", false, 0},
		"plain text":         {503, "upstream\nconnect error", []string{"Content-Type: text/plain", "Retry-After: 1"}, events.CodeUnavailable, "upstream connect error", true, time.Second},
		"a page":             {502, "<html>secret page</html>", []string{"Content-Type: text/html"}, events.CodeUnavailable, "Bad Gateway", true, 0},
		"nothing":            {500, "", nil, events.CodeUnavailable, "Internal Server Error", true, 0},
		"cut":                {500, `{"error":{"message":"x`, nil, events.CodeUnavailable, "Internal Server Error", true, 0},
		"filter":             {400, `{"error":{"message":"filtered","code":"content_filter"}}`, nil, events.CodeContentRejected, "filtered", false, 0},
		"a redirect":         {307, "", []string{"Location: http://127.0.0.1:1/elsewhere"}, events.CodeFailedPrecondition, "redirect", false, 0},
		"success, not 200":   {204, "", nil, events.CodeFailedPrecondition, "No Content", false, 0},
		"endless":            {400, `{"error":"` + strings.Repeat("x", 1<<20) + `"}`, nil, events.CodeInvalidArgument, "Bad Request", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, a := adapt(t, openai.Options{})
			server.Script(llmtest.Answer(c.status, c.body, c.header...))
			err := embedOne(t.Context(), a, llmtest.Key)
			var e *events.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.code, e.Code)
			require.Contains(t, e.Message, c.message)
			require.NotContains(t, e.Message, "secret page")
			require.NotContains(t, e.Message, "elsewhere")
			require.Less(t, len(e.Message), 600)
			require.Equal(t, c.retryable, e.Retryable)
			require.Equal(t, c.after, e.RetryAfter)
			require.Equal(t, "acme", e.Provider)
			require.Len(t, server.Requests(), 1)
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	a, err := openai.NewAdapter("acme", server.URL, llm.NewHTTPClient(), openai.Options{})
	require.NoError(t, err)
	err = embedOne(t.Context(), a, "")
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	require.True(t, events.AsError(err).Retryable)
	require.NotContains(t, events.AsError(err).Message, "127.0.0.1", "addresses are for logs, not for callers")
}

func TestHangingServer(t *testing.T) {
	t.Parallel()
	server, a := adapt(t, openai.Options{})
	server.Script(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := embedOne(ctx, a, llmtest.Key)
	require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(err))
	require.Equal(t, "acme", events.AsError(err).Provider)
}

func TestWrongContentType(t *testing.T) {
	t.Parallel()
	server, a := adapt(t, openai.Options{})
	server.Script(llmtest.Answer(http.StatusOK, "<html>", "Content-Type: text/html"))
	err := embedOne(t.Context(), a, llmtest.Key)
	require.Equal(t, events.CodeInternal, events.CodeOf(err))
	require.ErrorContains(t, err, "text/html")
	require.Len(t, server.Requests(), 1)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.Header.Get("Authorization") }))
	t.Cleanup(other.Close)
	server, a := adapt(t, openai.Options{})
	server.Script(llmtest.Answer(http.StatusTemporaryRedirect, "", "Location: "+other.URL))
	err := embedOne(t.Context(), a, llmtest.Key)
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	require.Empty(t, reached)
}

// raw answers with text instead of HTTP; %s is the request's Authorization header.
func raw(format string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return // the client then sees an empty answer, and the test fails
		}
		_, _ = fmt.Fprintf(conn, format, r.Header.Get("Authorization"))
		_ = conn.Close()
	}
}

// The canary: whatever a server says, the API key does not come out in an error, in its cause, or in a log of either.
func TestTheKeyIsNeverSeen(t *testing.T) {
	t.Parallel()
	const canary = "sk-canary+/1f2e3d4c=="
	echo := func(r *http.Request) string { return r.Header.Get("Authorization") }
	servers := map[string]http.HandlerFunc{
		"error body": func(w http.ResponseWriter, r *http.Request) {
			llmtest.Answer(401, fmt.Sprintf(`{"error":{"message":"bad header: %s","type":%q,"code":%q}}`, echo(r), echo(r), echo(r)))(w, r)
		},
		"escaped error body": func(w http.ResponseWriter, r *http.Request) {
			llmtest.Answer(401, `{"error":{"message":"bad header: `+strings.ReplaceAll(echo(r), "/", `\/`)+`"}}`)(w, r)
		},
		"at the edge of the bound": func(w http.ResponseWriter, r *http.Request) {
			llmtest.Answer(401, fmt.Sprintf(`{"error":%q}`, strings.Repeat("x", 480)+echo(r)))(w, r)
		},
		"at the edge of the other bound": func(w http.ResponseWriter, r *http.Request) {
			llmtest.Answer(401, strings.Repeat(" ", 64<<10-16)+echo(r), "Content-Type: text/plain")(w, r)
		},
		"plain text": func(w http.ResponseWriter, r *http.Request) {
			llmtest.Answer(500, echo(r), "Content-Type: text/plain")(w, r)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			llmtest.Answer(302, echo(r), "Location: http://127.0.0.1:1/?auth="+canary)(w, r)
		},
		"broken redirect": func(w http.ResponseWriter, r *http.Request) {
			llmtest.Answer(302, echo(r), "Location: http://%zz/"+canary)(w, r)
		},
		"content type": func(w http.ResponseWriter, r *http.Request) {
			llmtest.Answer(200, "{}", "Content-Type: text/"+echo(r))(w, r)
		},
		"answer":             func(w http.ResponseWriter, r *http.Request) { llmtest.Answer(200, echo(r))(w, r) },
		"error with 200":     func(w http.ResponseWriter, r *http.Request) { llmtest.Answer(200, `{"error":"`+echo(r)+`"}`)(w, r) },
		"broken status line": raw("HTTP/1.1 %s\r\n\r\n"),
		"broken header":      raw("HTTP/1.1 200 OK\r\n%s\r\n\r\n"),
	}
	for name, handler := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, a := adapt(t, openai.Options{})
			server.Script(handler)
			err := embedOne(t.Context(), a, canary)
			require.Error(t, err)
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "err", err, "adapter", a)
			slog.New(slog.NewTextHandler(&log, nil)).Error("failed", "err", err, "adapter", a)
			_, body := events.EncodeError(err)
			log.Write(body)
			fmt.Fprintf(&log, "%v %+v %#v", err, err, events.AsError(err))
			fmt.Fprintf(&log, "%v %+v %#v", a, a, a)
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				fmt.Fprintf(&log, "%v %#v", cause, cause)
			}
			for _, form := range []string{canary, "sk-canary", "1f2e3d4c", base64.StdEncoding.EncodeToString([]byte(canary))} {
				require.NotContains(t, log.String(), form)
			}
		})
	}
}
