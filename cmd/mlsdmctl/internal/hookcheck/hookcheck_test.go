package hookcheck_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/hookcheck"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
)

const (
	standardKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	privateKey  = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	publicKey   = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
	text        = "{\"type\": \"ci.degraded\"}\n"
)

func checker(t *testing.T, keys ...string) *hookcheck.Checker {
	t.Helper()
	var named []hookcheck.Key
	for i, key := range keys {
		named = append(named, hookcheck.Key{Name: "key " + string(rune('A'+i)), Text: secret.NewValue(key)})
	}
	c, err := hookcheck.New(named)
	require.NoError(t, err)
	return c
}

// signed returns the headers of a webhook with the given body, changed.
func signed(t *testing.T, key string, at time.Time, change func(http.Header)) http.Header {
	t.Helper()
	hook, err := webhook.New(key)
	require.NoError(t, err)
	header, err := hook.Sign("msg_1", at, []byte(text))
	require.NoError(t, err)
	if change != nil {
		change(header)
	}
	return header
}

func TestValid(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	c := checker(t, "another", standardKey, publicKey)
	got := c.Check(signed(t, standardKey, now, nil), []byte(text), now.Add(time.Minute))
	require.Equal(t, hookcheck.Verdict{
		Valid: true, ID: "msg_1", Timestamp: now.UTC(), Version: "v1", Key: "key B", BodySignature: hookcheck.BodyValid,
	}, got)
	got = c.Check(signed(t, privateKey, now, nil), []byte(text), now)
	require.Equal(t, hookcheck.Verdict{
		Valid: true, ID: "msg_1", Timestamp: now.UTC(), Version: "v1a", Key: "key C", BodySignature: hookcheck.BodyAbsent,
	}, got)
}

func TestWhatIsWrong(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	for name, c := range map[string]struct {
		key, body string
		header    http.Header
		problem   string
		hint      string
	}{
		"nothing": {header: http.Header{}, problem: hookcheck.ProblemMissingHeader},
		"old names": {
			header:  http.Header{"Svix-Id": {"a"}, "Svix-Signature": {"v1,x"}},
			problem: hookcheck.ProblemMissingHeader, hint: "the names from before Standard Webhooks",
		},
		"body signature alone": {
			header: http.Header{"X-Webhook-Signature": {webhook.BodySignature(standardKey, []byte(text))}}, problem: hookcheck.ProblemMissingHeader, hint: "X-Webhook-Signature is right",
		},
		"wrong body signature alone": {
			header: http.Header{"X-Webhook-Signature": {"sha256=00"}}, problem: hookcheck.ProblemMissingHeader, hint: "matches no key",
		},
		"a date":            {header: signed(t, standardKey, now, set("webhook-timestamp", "2023-11-14T22:13:20Z")), problem: hookcheck.ProblemInvalidHeader, hint: "the seconds since 1970"},
		"milliseconds":      {header: signed(t, standardKey, now, set("webhook-timestamp", "1700000000000")), problem: hookcheck.ProblemTooNew, hint: "in milliseconds"},
		"the end of time":   {header: signed(t, standardKey, now, set("webhook-timestamp", "9223372036854775807")), problem: hookcheck.ProblemTooNew},
		"a full stop":       {header: signed(t, standardKey, now, set("webhook-id", "a.b")), problem: hookcheck.ProblemInvalidID},
		"two ids":           {header: signed(t, standardKey, now, func(h http.Header) { h.Add("webhook-id", "b") }), problem: hookcheck.ProblemInvalidHeader},
		"old":               {header: signed(t, standardKey, now.Add(-3*time.Hour), nil), problem: hookcheck.ProblemTooOld, hint: "3h0m0s before 2023-11-14T22:13:20Z"},
		"old, right":        {header: signed(t, standardKey, now.Add(-3*time.Hour), nil), problem: hookcheck.ProblemTooOld, hint: "but for its time it is valid"},
		"old and changed":   {header: signed(t, standardKey, now.Add(-3*time.Hour), nil), body: "{}", problem: hookcheck.ProblemTooOld, hint: "would not be valid at that time either"},
		"ahead":             {header: signed(t, standardKey, now.Add(3*time.Hour), nil), problem: hookcheck.ProblemTooNew, hint: "3h0m0s after"},
		"another body":      {header: signed(t, standardKey, now, nil), body: "{}", problem: hookcheck.ProblemNoMatch, hint: "the body was changed, or it was signed with another key"},
		"another key":       {header: signed(t, "other", now, nil), problem: hookcheck.ProblemNoMatch, hint: "does not match either"},
		"another id":        {header: signed(t, standardKey, now, set("webhook-id", "msg_2")), problem: hookcheck.ProblemNoMatch, hint: "webhook-id or webhook-timestamp was changed"},
		"another time":      {header: signed(t, standardKey, now, set("webhook-timestamp", "1700000001")), problem: hookcheck.ProblemNoMatch, hint: "webhook-id or webhook-timestamp was changed"},
		"no body signature": {header: signed(t, privateKey, now, nil), key: publicKey, body: "x", problem: hookcheck.ProblemNoMatch, hint: "was changed, or it was signed with another key"},
		"a version ahead":   {header: signed(t, standardKey, now, set("webhook-signature", "v2,abc v\x1b[31m,x")), problem: hookcheck.ProblemNoMatch, hint: `version "v2", "v\x1b[31m", the keys are for "v1"`},
		"the other version": {header: signed(t, privateKey, now, nil), problem: hookcheck.ProblemNoMatch, hint: `version "v1a", the keys are for "v1"`},
		"line end lost":     {header: signed(t, standardKey, now, nil), body: strings.TrimSpace(text), problem: hookcheck.ProblemNoMatch, hint: "with a line end at its end"},
		"line end added":    {header: signed(t, standardKey, now, func(h http.Header) { resign(t, h, now, strings.TrimSpace(text)) }), problem: hookcheck.ProblemNoMatch, hint: "without the line end at its end"},
		"JSON spaced out":   {header: signed(t, standardKey, now, func(h http.Header) { resign(t, h, now, `{"type":"ci.degraded"}`) }), problem: hookcheck.ProblemNoMatch, hint: "of the same JSON without spaces"},
		"prefix forgotten":  {header: signed(t, standardKey, now, nil), key: strings.TrimPrefix(standardKey, "whsec_"), problem: hookcheck.ProblemNoMatch, hint: "write whsec_ in front of it"},
		"prefix not meant":  {header: signed(t, strings.TrimPrefix(standardKey, "whsec_"), now, nil), problem: hookcheck.ProblemNoMatch, hint: "without whsec_, as text"},
		"spaces in the key": {header: signed(t, "plain", now, nil), key: " plain\n", problem: hookcheck.ProblemNoMatch, hint: "key A without the spaces around it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, body := standardKey, text
			if c.key != "" {
				key = c.key
			}
			if c.body != "" {
				body = c.body
			}
			got := checker(t, key).Check(c.header, []byte(body), now)
			require.False(t, got.Valid)
			require.Error(t, got.Err)
			require.Equal(t, c.problem, got.Problem, got.Says)
			require.NotEmpty(t, got.Says)
			require.Contains(t, strings.Join(got.Hints, "\n"), c.hint)
			printed, err := json.Marshal(got)
			require.NoError(t, err)
			require.NotContains(t, string(printed)+got.Err.Error(), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
		})
	}
}

// resign replaces the signatures by those over another body.
func resign(t *testing.T, h http.Header, at time.Time, body string) {
	t.Helper()
	hook, err := webhook.New(standardKey)
	require.NoError(t, err)
	again, err := hook.Sign("msg_1", at, []byte(body))
	require.NoError(t, err)
	maps.Copy(h, again)
}

func TestBadKeysAreNamed(t *testing.T) {
	t.Parallel()
	_, err := hookcheck.New([]hookcheck.Key{{"HOOK_KEY", secret.NewValue("whsec_canary!")}})
	require.ErrorIs(t, err, webhook.ErrInvalidSecret)
	require.ErrorContains(t, err, "HOOK_KEY")
	require.NotContains(t, err.Error(), "canary")
	_, err = hookcheck.New(nil)
	require.ErrorIs(t, err, webhook.ErrInvalidSecret)
}
