package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	r := says(`{"a":"b","new":1}`)
	var got struct {
		A string `json:"a"`
	}
	own := http.Header{"X-Own": {"1"}}
	require.NoError(t, r.server(t, wire.Config{}).Call(t.Context(), wire.Request{
		Path: "/chat", Body: []byte(`{"x":1}`), Key: secret.NewValue(" " + apiKey + "\n"), Header: own,
	}, &got))
	require.Equal(t, "b", got.A)
	require.Equal(t, "POST https://acme.test/v1/chat", r.request.Method+" "+r.request.URL.String())
	require.Equal(t, `{"x":1}`, r.sent)
	require.Equal(t, http.Header{
		"X-Own": {"1"}, "Content-Type": {wire.TypeJSON}, "Accept": {wire.TypeJSON}, "User-Agent": {"mlsdm-integrations"},
		"Authorization": {"Bearer " + apiKey},
	}, r.request.Header)
	require.Equal(t, http.Header{"X-Own": {"1"}}, own, "the headers are the caller's")
	require.True(t, r.closed)

	r = says(`{}`)
	require.NoError(t, r.server(t, wire.Config{}).Call(t.Context(), wire.Request{
		Path: "/models", Key: secret.NewValue(apiKey), Auth: func(key string) (string, string) { return "X-Api-Key", key },
	}, &got))
	require.Equal(t, http.MethodGet, r.request.Method)
	require.Equal(t, apiKey, r.request.Header.Get("X-Api-Key"))
	require.NotContains(t, r.request.Header, "Authorization")
	require.NotContains(t, r.request.Header, "Content-Type")
}

func TestKeysThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for key, says := range map[string]string{"canary\r\nX-Evil: 1": "a character that no key has", "canary two": "a character", "  ": "no API key now"} {
		r := &reply{}
		err := r.server(t, wire.Config{}).Call(t.Context(), wire.Request{Path: "/x", Key: secret.NewValue(key)}, &struct{}{})
		fault := failed(t, err)
		require.Equal(t, llm.ClassKey, fault.Class)
		require.ErrorContains(t, fault, says)
		require.Nil(t, r.request, "nothing is sent")
	}
}

func TestNewChecks(t *testing.T) {
	t.Parallel()
	for base, says := range map[string]string{
		"": "http://", "acme.test": "http://", "ftp://a": "http://", "https://": "name a host", "https://u:canary@a": "credentials",
		"https://a?key=canary": "query", "https://a#b": "fragment", "https://a\x00canary": "not a URL",
	} {
		_, err := wire.New(wire.Config{Provider: "acme", HTTP: http.DefaultClient, BaseURL: base})
		require.ErrorContains(t, err, says, base)
		require.NotContains(t, err.Error(), "canary")
	}
	_, err := wire.New(wire.Config{Provider: "acme", BaseURL: "https://a"})
	require.Error(t, err)
}

// A server may repeat the key in whatever it says, plain or as part of a URL, also one that was sent before.
func TestKeysAreCutOut(t *testing.T) {
	t.Parallel()
	said := "a " + apiKey + " b " + url.QueryEscape(apiKey)
	for name, r := range map[string]*reply{
		"error":        {status: 401, body: strings.NewReader(fmt.Sprintf(`{"error":{"message":%q,"code":"x"}}`, said))},
		"text":         {status: 500, header: http.Header{"Content-Type": {"text/plain"}}, body: strings.NewReader(said)},
		"content type": {header: http.Header{"Content-Type": {"text/" + apiKey}}},
		"network":      {err: errors.New("malformed header " + said)},
		"broken off":   {body: &half{strings.NewReader("{"), errors.New("bad chunk " + said)}},
		"request id":   {status: 500, header: http.Header{"X-Request-Id": {"id " + apiKey}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := r.fails(t, wire.Config{})
			require.NotContains(t, fault.RequestID, "canary")
		})
	}
	r := says(`{}`)
	s := r.server(t, wire.Config{})
	for _, key := range []string{apiKey, "another-key"} {
		r.body = strings.NewReader("{}")
		require.NoError(t, s.Call(t.Context(), wire.Request{Path: "/x", Key: secret.NewValue(key)}, &struct{}{}))
	}
	require.Equal(t, "*** ***", strings.ReplaceAll(s.Clean(apiKey+" another-key", 100), secret.Redacted, "***"))
}

// A server gets no more memory than an answer may have.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*reply{
		"announced": {body: &endless{}, length: wire.MaxAnswer + 1},
		"endless":   {body: &endless{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := r.fails(t, wire.Config{})
			require.Equal(t, llm.ClassAnswer, fault.Class)
			require.ErrorContains(t, fault, "larger than 32 MiB")
			require.LessOrEqual(t, r.body.(*endless).served, 2*wire.MaxAnswer) //nolint:errcheck,forcetypeassert // it is one
		})
	}
	r := &reply{status: 500, body: &endless{}}
	require.Equal(t, llm.ClassProvider, r.fails(t, wire.Config{}).Class)
	require.LessOrEqual(t, r.body.(*endless).served, 1<<20) //nolint:errcheck,forcetypeassert // it is one
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	for name, c := range map[string]struct {
		kind, body, says string
	}{
		"page":      {"text/html", "<html>", `content type "text/html"`},
		"no type":   {"", "{}", `content type ""`},
		"bad type":  {"application/json; =", "{}", "content type"},
		"half":      {wire.TypeJSON, `{"a":`, "not the JSON"},
		"nothing":   {wire.TypeJSON, ``, "not the JSON"},
		"two":       {wire.TypeJSON, `{}{}`, "not the JSON"},
		"deep":      {wire.TypeJSON, deep, "not the JSON"},
		"deep list": {wire.TypeJSON, strings.Repeat("[", 1<<20), "not the JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &reply{header: http.Header{"Content-Type": {c.kind}}, body: strings.NewReader(c.body)}
			fault := r.fails(t, wire.Config{})
			require.Equal(t, []any{llm.ClassAnswer, events.CodeInternal, false}, []any{fault.Class, fault.Err.Code, fault.Err.Retryable})
			require.ErrorContains(t, fault, c.says)
			require.True(t, r.closed)
		})
	}
	r := &reply{header: http.Header{"Content-Type": {"Application/JSON ; charset=utf-8"}}, body: strings.NewReader(`{"a":"` + "\xff" + `","a":1}`)}
	require.NoError(t, r.server(t, wire.Config{}).Call(t.Context(), wire.Request{Path: "/x"}, &struct{}{}), "names twice and bad text are the server's own affair")
}

func TestBrokenOff(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*reply{
		"before": {err: errors.New("connection refused")},
		"in it":  {body: &half{strings.NewReader(`{"a":`), errors.New("reset by peer")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := r.fails(t, wire.Config{})
			require.Equal(t, []any{llm.ClassNetwork, events.CodeUnavailable, true}, []any{fault.Class, fault.Err.Code, fault.Err.Retryable})
		})
	}
	s := says("").server(t, wire.Config{})
	slow := &llm.Fault{Class: llm.ClassTimeout, Err: events.Errorf(events.CodeDeadlineExceeded, "too slow")}
	require.Same(t, slow, s.Broke(ended(t, slow), context.Canceled), "who ended the attempt says why")
	require.Equal(t, llm.ClassCanceled, failed(t, s.Broke(ended(t, nil), context.Canceled)).Class)
	require.Equal(t, llm.ClassTimeout, failed(t, s.Broke(ended(t, context.DeadlineExceeded), context.Canceled)).Class)
	require.Equal(t, llm.ClassNetwork, failed(t, s.BrokeOff("it ended")).Class)
}

func TestEncodeAndFaults(t *testing.T) {
	t.Parallel()
	s := says("").server(t, wire.Config{})
	body, err := s.Encode(map[string]any{"a": "<&>\xff", "b": []int{}})
	require.NoError(t, err)
	require.JSONEq(t, `{"a":"<&>`+"\ufffd"+`","b":[]}`, string(body))
	_, err = s.Encode(map[string]any{"a": make(chan int)})
	require.Equal(t, llm.ClassCaller, failed(t, err).Class)
	refused := failed(t, s.Refuse("seed", "it has none"))
	require.Equal(t, []any{llm.ClassUnsupported, "seed: it has none"}, []any{refused.Class, refused.Err.Message})
	require.Equal(t, llm.ClassCaller, failed(t, s.Invalid("wrong")).Class)
}
