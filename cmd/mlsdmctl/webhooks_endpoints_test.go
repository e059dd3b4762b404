package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestWebhooksFromTheFirstToTheLast(t *testing.T) {
	t.Parallel()
	f := startKeeper(t)
	out, _ := f.mlsdmctl(t, 0, "", "webhooks")
	require.Contains(t, out, "WEBHOOK_URL")
	require.Contains(t, out, "webhooks create")

	out, errs := f.mlsdmctl(t, 0, "", "webhooks", "create", "audit", "https://example.com/hook")
	require.Contains(t, out, "audit is made")
	require.Contains(t, out, "secret audit kaudit "+canary+"\n")
	require.Contains(t, errs, "shown this once")
	require.NotContains(t, errs, canary)

	for _, args := range [][]string{{"webhooks"}, {"webhooks", "list"}} {
		out, _ = f.mlsdmctl(t, 0, "", args...)
		require.Regexp(t, `^audit +https://example.com/hook +> +bus\n$`, out)
	}
	out, _ = f.mlsdmctl(t, 0, "", "--json", "webhooks", "get", "audit")
	var e events.Endpoint
	require.NoError(t, json.Unmarshal([]byte(out), &e))
	require.Equal(t, "https://example.com/hook", e.URL)
	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "get", "audit")
	require.Regexp(t, `(?m)^key +kaudit v1 generated$`, out)

	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "disable", "audit")
	require.Equal(t, "audit is disabled\n", out)
	require.True(t, f.spec(t, "audit").Disabled)
	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "enable", "audit")
	require.Equal(t, "audit is enabled\n", out)
	require.False(t, f.spec(t, "audit").Disabled)

	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "rotate", "audit", "--overlap", "1h")
	require.Contains(t, out, canary)
	require.Contains(t, out, "until 20")
	out, errs = f.mlsdmctl(t, 0, "", "webhooks", "rotate", "audit", "--method", "v1a", "--key", "secret:k")
	require.Contains(t, out, "ref v1a secret:k")
	require.Empty(t, errs)

	_, errs = f.mlsdmctl(t, 1, "n\n", "webhooks", "delete", "audit")
	require.Contains(t, errs, "Remove endpoint audit")
	require.Contains(t, errs, "nothing was removed")
	f.mlsdmctl(t, 1, "", "webhooks", "delete", "audit")
	f.mlsdmctl(t, 0, "y\n", "webhooks", "delete", "audit")
	_, errs = f.mlsdmctl(t, 1, "", "webhooks", "delete", "audit", "--yes")
	require.Contains(t, errs, "no endpoint audit")
}

func TestEndpointFlags(t *testing.T) {
	t.Parallel()
	f := startKeeper(t)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(ca, []byte("PEM"), 0o600))
	key := filepath.Join(dir, "key.txt")
	out, errs := f.mlsdmctl(t, 0, "", "webhooks", "create", "a", "https://example.com", "--event", "ci.*", "--event", "custom.>",
		"--filter", "data.a, data.b == 1", "--format", "cloudevents", "--header", "X-A=b=c;d,e", "--header", "Authorization=secret:tok",
		"--sign", "v1", "--sign", "v1a=env:KEY", "--body-signature", "--retry", "5s,1m", "--attempt-timeout", "3s", "--rate", "2.5/10",
		"--concurrency", "7", "--ordering", "strict", "--description", "d", "--metadata", "team=x", "--ca", ca, "--cert", ca, "--key", "secret:tls",
		"--server-name", "h", "--disabled", "--secret-file", key)
	require.NotContains(t, out, canary)
	require.Contains(t, errs, key)
	text, err := os.ReadFile(key)
	require.NoError(t, err)
	require.Equal(t, "a ka "+canary+"\n", string(text))
	info, err := os.Stat(key)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	want := events.EndpointSpec{
		ID: "a", URL: "https://example.com", Events: []string{"ci.*", "custom.>"}, Filter: "data.a, data.b == 1", Format: "cloudevents",
		Headers: map[string]string{"X-A": "b=c;d,e", "Authorization": "secret:tok"}, Signing: []events.EndpointSigning{{Method: "v1"}, {Method: "v1a", Key: "env:KEY"}},
		BodySignature: true, Retry: []string{"5s", "1m"}, Timeout: "3s", RateLimit: &events.EndpointRate{PerSecond: 2.5, Burst: 10}, Concurrency: 7,
		Ordering: "strict", Description: "d", Metadata: map[string]string{"team": "x"}, Disabled: true,
		TLS: &events.EndpointTLS{CA: "PEM", Certificate: "PEM", Key: "secret:tls", ServerName: "h"},
	}
	require.Equal(t, want, f.spec(t, "a"))

	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "update", "a", "--dry-run", "--rate", "5")
	require.Contains(t, out, "would be changed")
	require.Regexp(t, `rate_limit.per_second +2.5 → 5\n`, out)
	require.Regexp(t, `rate_limit.burst +10 → \(none\)\n`, out)
	require.Equal(t, want, f.spec(t, "a"))

	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "update", "a", "--url", "https://example.org", "--event", "", "--filter=", "--header", "X-A=",
		"--header", "X-B=1", "--no-body-signature", "--retry", "fast", "--rate", "0", "--concurrency", "0", "--metadata", "n=1", "--server-name=", "--ca=")
	require.Contains(t, out, "a is changed")
	require.Regexp(t, `events +\["ci.\*","custom.>"\] → \(none\)\n`, out)
	want.URL, want.Events, want.Filter, want.BodySignature, want.Retry, want.RateLimit, want.Concurrency = "https://example.org", nil, "", false, []string{"fast"}, nil, 0
	want.Headers, want.Metadata = map[string]string{"Authorization": "secret:tok", "X-B": "1"}, map[string]string{"team": "x", "n": "1"}
	want.TLS = &events.EndpointTLS{Certificate: "PEM", Key: "secret:tls"}
	require.Equal(t, want, f.spec(t, "a"))

	made := f.changes
	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "update", "a", "--retry", "fast")
	require.Equal(t, "a is like this already\n", out)
	_, errs = f.mlsdmctl(t, 1, "", "webhooks", "update", "a", "--retry", "standard", "--revision", "99")
	require.Contains(t, errs, "revision")
	require.Equal(t, made, f.changes)
}

func TestBadEndpointFlags(t *testing.T) {
	t.Parallel()
	f := startKeeper(t)
	dir := t.TempDir()
	private := filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(private, []byte("-----BEGIN EC PRIVATE KEY-----\nhunter2\n"), 0o600))
	secretFile := filepath.Join(dir, "secret")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"sign":            {[]string{"--sign", "v2"}, "v1a"},
		"a secret":        {[]string{"--sign", "v1=hunter2"}, "never the secret itself"},
		"no reference":    {[]string{"--sign", "v1="}, "secret:NAME"},
		"a secret as key": {[]string{"--key", "hunter2"}, "never the secret itself"},
		"private key":     {[]string{"--cert", private}, "private key"},
		"no file":         {[]string{"--ca", filepath.Join(dir, "absent")}, "absent"},
		"header":          {[]string{"--header", "X-A: b"}, "NAME=VALUE"},
		"header twice":    {[]string{"--header", "a=1", "--header", "a=2"}, "twice"},
		"metadata":        {[]string{"--metadata", "=1"}, "NAME=VALUE"},
		"rate":            {[]string{"--rate", "fast"}, "50/100"},
		"burst":           {[]string{"--rate", "5/x"}, "50/100"},
		"negative rate":   {[]string{"--rate=-1"}, "50/100"},
		"no number":       {[]string{"--rate", "nan"}, "50/100"},
		"retry":           {[]string{"--retry", "slow"}, "standard"},
		"format":          {[]string{"--format", "xml"}, "cloudevents"},
		"timeout":         {[]string{"--attempt-timeout", "1h"}, "timeout"},
		"ordering":        {[]string{"--ordering", "loose"}, "strict"},
		"concurrency":     {[]string{"--concurrency", "5000"}, "1024"},
		"file is there":   {[]string{"--secret-file", private}, "not overwritten"},
	} {
		_, errs := f.mlsdmctl(t, 1, "", append([]string{"webhooks", "create", "a", "https://example.com"}, c.args...)...)
		require.Contains(t, errs, c.want, name)
		require.NotContains(t, errs, "hunter2", name)
	}
	f.refuse["a"] = "the URL is refused"
	_, errs := f.mlsdmctl(t, 1, "", "webhooks", "create", "a", "https://example.com", "--secret-file", secretFile)
	require.Contains(t, errs, "the URL is refused")
	require.NoFileExists(t, secretFile, "nothing was generated")
	f.mlsdmctl(t, 1, "", "webhooks", "create", "a b", "https://example.com")
	_, errs = f.mlsdmctl(t, 1, "", "webhooks", "update", "a")
	require.Contains(t, errs, "nothing to change is given")
	f.mlsdmctl(t, 1, "", "webhooks", "rotate", "a", "--overlap", "9999h")
	f.mlsdmctl(t, 1, "", "webhooks", "rotate", "a", "--key", "hunter2")
	f.mlsdmctl(t, 1, "", "webhooks", "get", "absent")
	require.Zero(t, f.changes)
}

func TestDryRunsOfCreateMakeNothing(t *testing.T) {
	t.Parallel()
	f := startKeeper(t)
	out, errs := f.mlsdmctl(t, 0, "", "webhooks", "create", "a", "https://example.com", "--dry-run")
	require.Contains(t, out, "a would be made")
	require.Empty(t, errs)
	out, _ = f.mlsdmctl(t, 0, "", "webhooks", "create", "a", "https://example.com", "--json")
	var made struct {
		Endpoint events.Endpoint
		Secrets  []toldSecret
	}
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	require.Equal(t, []toldSecret{{Endpoint: "a", KeyID: "ka", Secret: canary}}, made.Secrets)
	require.Equal(t, 1, f.changes)
}

func TestTestOfAnEndpoint(t *testing.T) {
	t.Parallel()
	f := startKeeper(t)
	f.attempt = events.DeliveryAttempt{
		Outcome: events.AttemptDelivered, Status: 204, LatencyMS: 12.34, Timing: &events.AttemptTiming{DNSMS: 1, FirstByteMS: 9.5}, Response: "o\x1b[31mk\u009b",
	}
	out, _ := f.mlsdmctl(t, 0, "", "webhooks", "test", "a")
	require.Regexp(t, `(?m)^status +204$`, out)
	require.Regexp(t, `(?m)^took +12.3 ms \(DNS 1.0, first byte 9.5\)$`, out)
	require.Regexp(t, `(?m)^answer +o\[31mk$`, out)

	f.attempt = events.DeliveryAttempt{Outcome: events.AttemptDead, Error: "refused", ErrorClass: events.ErrorClassConnect}
	out, errs := f.mlsdmctl(t, 1, "", "webhooks", "test", "a")
	require.Regexp(t, `(?m)^error +refused$`, out)
	require.Contains(t, errs, "did not take the webhook")
	out, _ = f.mlsdmctl(t, 1, "", "webhooks", "test", "a", "--json")
	var attempt events.DeliveryAttempt
	require.NoError(t, json.Unmarshal([]byte(out), &attempt))
}
