package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/lifecycle"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

// liveScreen is what a running command prints.
type liveScreen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *liveScreen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *liveScreen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// listening is a `webhooks listen` that runs.
type listening struct {
	url, secret string
	out, err    *liveScreen
}

// listen starts the command, and ends it with the test as Ctrl-C would.
func listen(t *testing.T, args ...string) listening {
	t.Helper()
	l := listening{out: &liveScreen{}, err: &liveScreen{}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"webhooks", "listen", "--addr", "127.0.0.1:0"}, args...), terminal{
			in: strings.NewReader(""), out: l.out, err: l.err, lookup: func(name string) (string, bool) { return "a secret", name == "HOOK" },
		})
	}()
	t.Cleanup(func() {
		stop()
		require.Zero(t, <-ended, l.err)
	})
	address := regexp.MustCompile(`listening on (http://\S+/);`)
	require.Eventually(t, func() bool { return address.MatchString(l.err.String()) }, 10*time.Second, time.Millisecond)
	l.url = address.FindStringSubmatch(l.err.String())[1]
	if made := regexp.MustCompile(`sign with this one: (\S+)`).FindStringSubmatch(l.err.String()); made != nil {
		l.secret = made[1]
	}
	return l
}

// post posts a webhook signed with key, changed, and returns what is answered.
func (l listening) post(t *testing.T, key, id, body string, change func(http.Header)) int {
	t.Helper()
	hook, err := webhook.New(key)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.url+"hook", strings.NewReader(body))
	require.NoError(t, err)
	r.Header, err = hook.Sign(id, time.Now(), []byte(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r.Header)
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	require.NoError(t, err)
	return answer.StatusCode
}

// shows waits until all that is wanted has been printed.
func (l listening) shows(t *testing.T, want ...string) {
	t.Helper()
	for _, text := range want {
		require.Eventually(t, func() bool { return strings.Contains(l.out.String(), text) }, 10*time.Second, time.Millisecond, "no %q in %s", text, l.out)
	}
}

func TestWebhooksListen(t *testing.T) {
	t.Parallel()
	l := listen(t, "--secret-env", "HOOK", "--status", "202", "--fail-first", "1")
	body := `{"type":"ci.degraded","data":{"failures":3}}`
	require.Equal(t, http.StatusServiceUnavailable, l.post(t, "a secret", "msg_1", body, nil))
	l.shows(t, "POST /hook  valid: v1 by HOOK  → 503", "ci.degraded  msg_1  attempt 1", "X-Webhook-Signature valid", "44 bytes application/json", "        \"failures\": 3\n")
	require.Equal(t, http.StatusAccepted, l.post(t, "a secret", "msg_1", body, nil))
	l.shows(t, "→ 202", "msg_1  attempt 2")
	require.Equal(t, http.StatusServiceUnavailable, l.post(t, "a secret", "msg_2", body, nil))
	l.shows(t, "msg_2  attempt 1")

	require.Equal(t, http.StatusUnauthorized, l.post(t, "another secret", "msg_3", body, nil))
	l.shows(t, "NOT VALID: no matching signature  → 401", "signed with another key")
	require.Equal(t, http.StatusBadRequest, l.post(t, "a secret", "msg_4", body, func(h http.Header) { h.Del("webhook-id") }))
	l.shows(t, "NOT VALID: missing header: webhook-id  → 400")
	require.Equal(t, http.StatusUnauthorized, l.post(t, "a secret", "msg_5", body, func(h http.Header) { h.Set("webhook-timestamp", "1") }))
	l.shows(t, "timestamp too old")
	require.Equal(t, http.StatusRequestEntityTooLarge, l.post(t, "a secret", "msg_6", strings.Repeat("x", maxListenBody+1), nil))
	l.shows(t, "→ 413")
}

func TestWebhooksListenMakesASecret(t *testing.T) {
	t.Parallel()
	l := listen(t)
	require.NotEmpty(t, l.secret)
	require.Equal(t, http.StatusOK, l.post(t, l.secret, "msg_1", "{}", nil))
	l.shows(t, "valid: v1 by the secret made here")
}

func TestWebhooksListenJSON(t *testing.T) {
	t.Parallel()
	private, public := webhook.GenerateKeyPair()
	l := listen(t, "--public-key", public, "--json")
	require.Equal(t, http.StatusOK, l.post(t, private, "msg_1", "{\"event_type\":\n\"custom.x\"}", nil))
	require.Equal(t, http.StatusOK, l.post(t, private, "msg_2", "text", nil))
	require.Equal(t, http.StatusUnauthorized, l.post(t, "a secret", "msg_3", "\xff", nil))
	l.shows(t, "msg_3", "\n")
	lines := strings.Split(strings.TrimSpace(l.out.String()), "\n")
	require.Len(t, lines, 3)
	var got []receivedHook
	for _, line := range lines {
		var one receivedHook
		require.NoError(t, json.Unmarshal([]byte(line), &one))
		got = append(got, one)
	}
	require.True(t, got[0].Valid)
	require.Equal(t, "v1a", got[0].Version)
	require.Equal(t, "custom.x", got[0].Type)
	require.Equal(t, map[string]any{"event_type": "custom.x"}, got[0].Body)
	require.Equal(t, "text", got[1].Body)
	require.False(t, got[2].Valid)
	require.Equal(t, "no_match", got[2].Problem)
	require.Equal(t, http.StatusUnauthorized, got[2].Status)
	require.Nil(t, got[2].Body)
}

// TestWebhooksListenIsSafeToLookAt: what strangers send cannot play with the terminal, nor fill it.
func TestWebhooksListenIsSafeToLookAt(t *testing.T) {
	t.Parallel()
	l := listen(t, "--secret-env", "HOOK")
	hostile := "\x1b]0;owned\a\u009b31m"
	for i, body := range []string{
		hostile, `{"type":"` + "\u009b31m" + `\u001b[2J\n\n\nlisten"}`, strings.Repeat("a\n", 10_000), strings.Repeat("b", 1<<20),
		strings.Repeat("[", 8000) + strings.Repeat("]", 8000), "\xff\xfe\x00",
	} {
		require.Equal(t, http.StatusOK, l.post(t, "a secret", "msg_"+string(rune('a'+i)), body, func(h http.Header) {
			h.Set("Content-Type", "text/\u009b31m"+strings.Repeat("x", 1000))
		}))
	}
	l.shows(t, "msg_f", "(not text)", "… and more")
	printed := l.out.String()
	for _, c := range []string{"\x1b", "\a", "\u009b"} {
		require.NotContains(t, printed, c)
	}
	require.Less(t, len(printed), 100_000)
	require.Less(t, strings.Count(printed, "\n"), 2000)
}

// TestWebhooksListenJSONIsSafeToLookAt: nor does it for machines, where JSON is passed on as it came.
func TestWebhooksListenJSONIsSafeToLookAt(t *testing.T) {
	t.Parallel()
	l := listen(t, "--secret-env", "HOOK", "--json")
	l.post(t, "a secret", "msg_1", `{"type":"`+"\u009b31m\x7f\x9b31m"+`"}`, nil)
	l.shows(t, `"body":{"type":"\u009b31m\u007f`+"\uFFFD"+`31m"}`)
	for _, c := range []string{"\x9b", "\x7f"} {
		require.NotContains(t, l.out.String(), c)
	}
}

func TestWebhooksListenCountsBoundedly(t *testing.T) {
	t.Parallel()
	r := &hookReceiver{tries: map[string]int{}}
	require.Equal(t, 1, r.count("first"))
	require.Equal(t, 2, r.count("first"))
	for i := range 3 * maxListenTries {
		r.count(string(rune(i)) + "x")
		require.LessOrEqual(t, len(r.tries), maxListenTries)
	}
}

func TestWebhooksListenRefuses(t *testing.T) {
	t.Parallel()
	for reason, args := range map[string][]string{
		"--status is 99":     {"--status", "99"},
		"--fail-first is -1": {"--fail-first=-1"},
		"no variable NOPE":   {"--secret-env", "NOPE"},
		"invalid secret":     {"--secret", "whsec_!"},
		"listen tcp":         {"--addr", "256.256.256.256:1"},
		"missing port":       {"--addr", "127.0.0.1"},
	} {
		code, out, errs := ctl(t.Context(), nil, "", append([]string{"webhooks", "listen"}, args...)...)
		require.Equal(t, lifecycle.ExitCode(errNotValid), code)
		require.Empty(t, out)
		require.Contains(t, errs, reason)
	}
}
