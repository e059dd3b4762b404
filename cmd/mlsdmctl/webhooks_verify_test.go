package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The published vectors of Standard Webhooks.
const (
	vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorPublic = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
	vectorHeader = "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nwebhook-timestamp: 1614265330\r\nwebhook-signature: " +
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= " +
		"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==\r\n"
	vectorBody    = `{"test": 2432232314}`
	vectorRequest = "POST /hook HTTP/1.1\r\nHost: example.com\r\n" + vectorHeader + "\r\n" + vectorBody
)

// ctl runs a command line as main does.
func ctl(ctx context.Context, env map[string]string, stdin string, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(ctx, args, terminal{in: strings.NewReader(stdin), out: &stdout, err: &stderr, lookup: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}})
	return code, stdout.String(), stderr.String()
}

func TestWebhooksVerify(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	request, keyFile := write("request", vectorRequest), write("key", vectorSecret+"\n")
	saved := write("saved", vectorRequest+"\n") // as editors do
	headers, body := write("headers", vectorHeader), write("body", vectorBody)
	large := write("large", strings.Repeat("x", maxSavedRequest+1))
	env := map[string]string{"HOOK": vectorSecret, "EMPTY": ""}

	for name, c := range map[string]struct {
		args   []string
		stdin  string
		env    map[string]string
		code   int
		out    []string
		reason string
	}{
		"from the environment": {args: []string{request, "--secret-env", "HOOK", "--ignore-time"}, out: []string{"VALID", "v1 by HOOK", "msg_p5jXN8AQM9LWM0D4loKWxJek", "2021-02-25T15:02:10Z", "20 bytes"}},
		"from a file":          {args: []string{request, "--secret-file", keyFile, "--at", "2021-02-25T15:05:00Z"}, out: []string{"VALID", "v1 by " + keyFile}},
		"the dispatcher's":     {args: []string{request, "--ignore-time"}, env: map[string]string{"WEBHOOK_SECRET": vectorSecret}, out: []string{"v1 by WEBHOOK_SECRET"}},
		"on the command line":  {args: []string{request, "--secret", "a,b", "--secret", vectorSecret, "--at", "1614265330"}, out: []string{"v1 by --secret 2"}},
		"with a public key":    {args: []string{request, "--public-key", vectorPublic, "--ignore-time"}, out: []string{"v1a by --public-key"}},
		"from a pipe":          {args: []string{"-", "--secret-env", "HOOK", "--ignore-time"}, stdin: vectorRequest, out: []string{"VALID"}},
		"in two files":         {args: []string{headers, "--body", body, "--secret-env", "HOOK", "--ignore-time"}, out: []string{"VALID"}},

		"now":                 {args: []string{request, "--secret-env", "HOOK"}, code: 1, out: []string{"NOT VALID", "timestamp too old", "but for its time it is valid"}, reason: "not valid"},
		"a line end more":     {args: []string{saved, "--secret-env", "HOOK", "--ignore-time"}, code: 1, out: []string{"NOT VALID", "without the line end at its end"}, reason: "not valid"},
		"headers alone":       {args: []string{headers, "--secret-env", "HOOK", "--ignore-time"}, code: 1, out: []string{"NOT VALID", "give it with --body FILE"}, reason: "not valid"},
		"another key":         {args: []string{request, "--secret", "guess", "--ignore-time"}, code: 1, out: []string{"NOT VALID", "signed with another key"}, reason: "not valid"},
		"escapes":             {args: []string{"-", "--secret-env", "HOOK"}, stdin: "webhook-id: \x1b[2J\u009b2Jx\n", code: 1, out: []string{"NOT VALID", "missing header", "[2J2Jx"}, reason: "not valid"},
		"no key":              {args: []string{request}, code: 1, reason: "--secret-env NAME"},
		"no such variable":    {args: []string{request, "--secret-env", "NOPE"}, code: 1, reason: "no variable NOPE"},
		"an empty variable":   {args: []string{request, "--secret-env", "EMPTY"}, code: 1, reason: "EMPTY is empty"},
		"no such key file":    {args: []string{request, "--secret-file", keyFile + "x"}, code: 1, reason: "no such file"},
		"a bad key":           {args: []string{request, "--secret", "whsec_canary!"}, code: 1, reason: "--secret: webhook: invalid secret"},
		"not a public key":    {args: []string{request, "--public-key", vectorSecret}, code: 1, reason: "does not start with whpk_"},
		"no such file":        {args: []string{request + "x", "--secret-env", "HOOK"}, code: 1, reason: "no such file"},
		"no request":          {args: []string{body, "--secret-env", "HOOK"}, code: 1, reason: "line 1 is no header"},
		"too large":           {args: []string{large, "--secret-env", "HOOK"}, code: 1, reason: "more than the"},
		"no time":             {args: []string{request, "--secret-env", "HOOK", "--at", "noon"}, code: 1, reason: "--at is \"noon\""},
		"two times":           {args: []string{request, "--secret-env", "HOOK", "--at", "1", "--ignore-time"}, code: 1, reason: "exclude each other"},
		"no time to ignore":   {args: []string{"-", "--secret-env", "HOOK", "--ignore-time"}, stdin: "webhook-id: a\nwebhook-timestamp: noon\nwebhook-signature: v1,x\n", code: 1, out: []string{"not a whole number"}, reason: "not valid"},
		"no file on the line": {args: []string{"--secret-env", "HOOK"}, code: 2, reason: "<file>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := env
			if c.env != nil {
				with = c.env
			}
			code, out, errs := ctl(t.Context(), with, c.stdin, append([]string{"webhooks", "verify"}, c.args...)...)
			require.Equal(t, c.code, code, out+errs)
			for _, want := range c.out {
				require.Contains(t, out, want)
			}
			require.Contains(t, errs, c.reason)
			require.NotContains(t, out+errs, "canary")
			require.NotContains(t, out+errs, "MfKQ9r8GKYqr")
			require.NotContains(t, out+errs, "\x1b")
			require.NotContains(t, out+errs, "\u009b")
		})
	}
}

func TestWebhooksVerifyJSON(t *testing.T) {
	t.Parallel()
	env := map[string]string{"HOOK": vectorSecret}
	code, out, _ := ctl(t.Context(), env, vectorRequest, "webhooks", "verify", "-", "--secret-env", "HOOK", "--ignore-time", "--json")
	require.Zero(t, code)
	require.JSONEq(t, `{"valid": true, "id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "timestamp": "2021-02-25T15:02:10Z", "version": "v1", "key": "HOOK",
		"body_signature": "absent", "body_bytes": 20}`, out)

	code, out, _ = ctl(t.Context(), env, vectorRequest, "webhooks", "verify", "-", "--secret-env", "HOOK", "--json", "--at", strconv.FormatInt(1614265330+3600, 10))
	require.Equal(t, 1, code)
	var got savedVerdict
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.False(t, got.Valid)
	require.Equal(t, "too_old", got.Problem)
	require.Contains(t, strings.Join(got.Hints, "\n"), time.Hour.String())
}
