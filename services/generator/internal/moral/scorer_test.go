package moral_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
)

func TestScorerOfTheOperators(t *testing.T) {
	t.Parallel()
	c := newCustom(t, scores(func(text string) float64 {
		if strings.Contains(text, "bad") {
			return 0.2
		}
		return 0.8
	}))
	cfg := c.config()
	cfg.Scorer.Header = map[string]string{"X-Team": "a"}
	f := newFilter(t, cfg)
	require.NoError(t, f.Prompt(t.Context(), subject(), prompt("good")))
	err := f.Prompt(t.Context(), subject(), prompt("bad"))
	require.Equal(t, events.CodeContentRejected, events.CodeOf(err))
	require.NoError(t, f.Prompt(t.Context(), subject(), valued("bad", "1")), "the request's own score comes first")
	require.Equal(t, map[string]string{"text": "bad", "stage": "prompt", "request_id": "req-1", "caller": "shop", "model": "openai/m"}, c.asked[1])
	require.Len(t, c.asked, 2)
	for _, r := range c.requests {
		require.Equal(t, "Bearer "+canary, r.Header.Get("Authorization"))
		require.Equal(t, "a", r.Header.Get("X-Team"))
		require.Equal(t, "/score", r.URL.Path)
		require.Equal(t, http.MethodPost, r.Method)
	}

	cfg.TrustRequest = false
	f = newFilter(t, cfg)
	require.Error(t, f.Prompt(t.Context(), subject(), valued("bad", "1")), "or does not count")
}

// answers writes an answer with a status and a type.
func answers(status int, kind, body string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Whatever a scorer does, a request is refused, in time, with nothing of the text, the key or the answer in the error.
func TestScorersThatFail(t *testing.T) {
	t.Parallel()
	const kind = "application/json"
	srv := bustest.Start(t)
	ok := func(body string) func(http.ResponseWriter, string) { return answers(http.StatusOK, kind, body) }
	for name, answer := range map[string]func(http.ResponseWriter, string){
		"NaN":              ok(`{"score":NaN}`),
		"NaN as text":      ok(`{"score":"NaN"}`),
		"two":              ok(`{"score":2}`),
		"negative":         ok(`{"score":-0.1}`),
		"a little more":    ok(`{"score":1.0000001}`),
		"null":             ok(`{"score":null}`),
		"no score":         ok(`{}`),
		"other case":       ok(`{"Score":1}`),
		"a number as text": ok(`{"score":"0.9"}`),
		"a list":           ok(`[{"score":1}]`),
		"nothing":          ok(``),
		"null alone":       ok(`null`),
		"half":             ok(`{"score":0.`),
		"two documents":    ok(`{"score":1}{"score":1}`),
		"too large number": ok(`{"score":1e999}`),
		"deep":             ok(`{"score":1,"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`),
		"huge":             ok(`{"score":1,"reason":"` + strings.Repeat("x", moral.MaxScore) + `"}`),
		"categories":       ok(`{"score":1,"categories":{"a":true}}`),
		"not JSON by type": answers(http.StatusOK, "text/html", `{"score":1}`),
		"201":              answers(http.StatusCreated, kind, `{"score":1}`),
		"204":              answers(http.StatusNoContent, kind, ``),
		"400":              answers(http.StatusBadRequest, kind, `{"error":{"message":"`+canary+`"}}`),
		"401":              answers(http.StatusUnauthorized, kind, `{"error":"`+canary+`"}`),
		"404":              answers(http.StatusNotFound, "text/plain", canary),
		"429":              answers(http.StatusTooManyRequests, kind, `{"message":"`+canary+`"}`),
		"500":              answers(http.StatusInternalServerError, kind, `{"detail":"`+canary+`"}`),
		"redirect": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "http://127.0.0.1:1/"+canary)
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"broken off": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"score":1`)
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCustom(t, answer)
			cfg := c.config()
			f := filterOn(t, srv, cfg)
			err := f.Prompt(t.Context(), subject(), prompt("my "+canary))
			require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
			require.True(t, events.AsError(err).Retryable)
			requireNoCanary(t, err)
			require.LessOrEqual(t, len(c.texts()), 2)
			require.Zero(t, f.State().Count)

			cfg.OnScorerError = moral.Accept
			require.NoError(t, filterOn(t, srv, cfg).Prompt(t.Context(), subject(), prompt("my "+canary)))
		})
	}
}

// requireNoCanary looks at what crosses the bus.
func requireNoCanary(t *testing.T, err error) {
	t.Helper()
	header, body := events.EncodeError(err)
	require.NotContains(t, string(body), canary)
	for _, values := range header {
		require.NotContains(t, strings.Join(values, " "), canary)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		require.NotContains(t, err.Error(), canary)
	}
}

func TestScorerThatHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	c := newCustom(t, func(http.ResponseWriter, string) { <-release })
	defer close(release)
	cfg := c.config()
	cfg.Scorer.Timeout = 100 * time.Millisecond
	f := newFilter(t, cfg)
	begin := time.Now()
	err := f.Prompt(t.Context(), subject(), prompt(canary))
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	require.Less(t, time.Since(begin), patience)
	require.LessOrEqual(t, len(c.texts()), 1, "there is no time for a second try")
}

func TestSecondTry(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	c := newCustom(t, func(w http.ResponseWriter, text string) {
		if n.Add(1) == 1 {
			answers(http.StatusServiceUnavailable, "text/plain", "")(w, text)
			return
		}
		scores(func(string) float64 { return 1 })(w, text)
	})
	require.NoError(t, newFilter(t, c.config()).Prompt(t.Context(), subject(), prompt("hi")))
	require.EqualValues(t, 2, n.Load())
}

// renewing is a key that is another one when it is asked for anew.
type renewing struct{ renewed atomic.Bool }

func (r *renewing) Current() string {
	if r.renewed.Load() {
		return "new"
	}
	return "old"
}

func (r *renewing) Renew(context.Context, string) { r.renewed.Store(true) }

func TestKeyThatWasRotated(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	c := newCustom(t, func(w http.ResponseWriter, text string) {
		if n.Add(1) == 1 {
			answers(http.StatusUnauthorized, "text/plain", "")(w, text)
			return
		}
		scores(func(string) float64 { return 1 })(w, text)
	})
	cfg := c.config()
	cfg.Scorer.Key = secret.Live(new(renewing))
	require.NoError(t, newFilter(t, cfg).Prompt(t.Context(), subject(), prompt("hi")))
	require.Len(t, c.texts(), 2)
	require.Equal(t, "Bearer old", c.requests[0].Header.Get("Authorization"))
	require.Equal(t, "Bearer new", c.requests[1].Header.Get("Authorization"))
}

// A scorer that is down is not asked by everyone who comes.
func TestScorerThatIsDownIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := newCustom(t, answers(http.StatusInternalServerError, "text/plain", ""))
	f := newFilter(t, c.config())
	told := false
	const requests = 50
	for range requests {
		err := f.Prompt(t.Context(), subject(), prompt("hi"))
		require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
		told = told || events.AsError(err).RetryAfter > 0
	}
	require.True(t, told, "when to come back")
	require.Less(t, len(c.texts()), requests)
	require.NoError(t, f.Prompt(t.Context(), subject(), valued("hi", "1")), "who brings a score needs no scorer")
}

func TestModeration(t *testing.T) {
	t.Parallel()
	var asked []map[string]any
	answer := `{"id":"x","model":"m","results":[{"flagged":true,"categories":{"violence":true,"hate":false,"self-harm/intent":true},"category_scores":{"violence":0.75,"hate":0.01}}]}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if r.URL.Path != "/v1/moderations" || r.Header.Get("Authorization") != "Bearer "+canary || json.NewDecoder(r.Body).Decode(&body) != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		asked = append(asked, body)
		answers(http.StatusOK, "application/json; charset=utf-8", answer)(w, "")
	}))
	defer srv.Close()
	nats := bustest.Start(t)
	cfg := moral.Default()
	cfg.Scorer = moral.ScorerConfig{Kind: moral.Moderation, URL: srv.URL + "/v1/", Key: secret.NewValue(canary), Model: "omni", Timeout: patience}
	f := filterOn(t, nats, cfg)
	err := f.Prompt(t.Context(), subject(), prompt("hi"))
	require.EqualError(t, err, "content_rejected: the moral filter rejects the prompt: its score 0.25 is below the threshold 0.5")
	require.Equal(t, map[string]any{"model": "omni", "input": "hi"}, asked[0])

	// A long text is cut, in the middle of nothing, and its worst piece counts.
	long := strings.Repeat("абвгд ", 4000)
	const good, bad = `{"categories":{},"category_scores":{"hate":0.1}}`, `{"categories":{},"category_scores":{"hate":1.0000001,"x":-1e-9}}`
	answer = `{"results":[` + good + `,` + bad + `,` + good + `]}`
	require.ErrorContains(t, f.Prompt(t.Context(), subject(), prompt(long)), "its score 0 is below")
	pieces, ok := asked[1]["input"].([]any)
	require.True(t, ok)
	require.Len(t, pieces, 3)
	for i, piece := range pieces {
		text, ok := piece.(string)
		require.True(t, ok)
		require.Contains(t, long, text)
		require.NotContains(t, text, "\uFFFD")
		require.LessOrEqual(t, len(text), 16<<10)
		if i > 0 {
			before, ok := pieces[i-1].(string)
			require.True(t, ok)
			require.Contains(t, text, before[len(before)-256:], "they overlap")
		}
	}

	for _, wrong := range []string{
		`{}`, `{"results":[]}`, `{"results":null}`, `{"results":[{}]}`, `{"results":[{"category_scores":{}}]}`, `{"results":[{"category_scores":null}]}`,
		`{"results":[{"category_scores":{"a":null}}]}`, `{"results":[{"category_scores":{"a":1.1}}]}`, `{"results":[{"category_scores":{"a":-1}}]}`,
		`{"results":[{"category_scores":{"a":"0"}}]}`, `{"results":[{"category_scores":{"a":0}},{"category_scores":{"a":0}}]}`,
		`{"results":[{"flagged":false,"categories":{}}]}`, `{"results":{"category_scores":{"a":0}}}`, `{"error":{"message":"x"}}`,
	} {
		answer = wrong
		require.Equal(t, events.CodeUnavailable, events.CodeOf(filterOn(t, nats, cfg).Prompt(t.Context(), subject(), prompt("hi"))), wrong)
	}
}

var errGone = errors.New("gone")

// Who leaves is told that he left, and the scorer is not blamed.
func TestCallerWhoLeaves(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	here := make(chan struct{}, 1)
	c := newCustom(t, func(http.ResponseWriter, string) {
		here <- struct{}{}
		<-release
	})
	defer close(release)
	cfg := c.config()
	cfg.OnScorerError = moral.Accept
	f := newFilter(t, cfg)
	for range 2 * moral.BreakAfter {
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-here
			cancel(errGone)
		}()
		err := f.Prompt(ctx, subject(), prompt("hi"))
		require.Error(t, err, "it is not accepted unjudged")
		require.ErrorIs(t, err, errGone)
	}
	require.Len(t, c.texts(), 2*moral.BreakAfter)
}
