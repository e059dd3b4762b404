package secretd_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestSecretsAreGivenToWhoMayHaveThem(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{
		"SECRETD_ALLOW": "openai_api_key,db.main-password,empty,unset", "OPENAI_API_KEY": canary, "DB_MAIN_PASSWORD": "pw " + canary,
		"EMPTY": "", "GITHUB_TOKEN": "ghp_" + canary,
	})
	for name, want := range map[string]string{"openai_api_key": canary, "db.main-password": "pw " + canary} {
		for _, options := range [][]client.SecretOption{nil, {client.Hybrid()}, {client.NoCache()}} {
			value, err := r.get(t, "generator", name, options...)
			require.NoError(t, err)
			require.Equal(t, want, value.Reveal())
			require.Equal(t, "env", value.Source)
			require.False(t, value.FetchedAt.IsZero())
			require.False(t, value.Stale)
		}
	}
	for _, test := range []struct {
		caller, name string
		code         events.Code
	}{
		{"generator", "empty", events.CodeNotFound},
		{"generator", "unset", events.CodeNotFound},
		{"generator", "github_token", events.CodePermissionDenied},
		{"generator", "no_such_thing", events.CodePermissionDenied},
		{"generator", "OPENAI_API_KEY", events.CodePermissionDenied},
		{"generator", "env:OPENAI_API_KEY", events.CodePermissionDenied},
		{"generator", "file:/etc/passwd", events.CodePermissionDenied},
		{"stranger", "openai_api_key", events.CodePermissionDenied},
		{"default", "openai_api_key", events.CodePermissionDenied},
		{"generator", "", events.CodeInvalidArgument},
		{"generator", "../openai_api_key", events.CodeInvalidArgument},
		{"generator", "openai_api_key\x00", events.CodeInvalidArgument},
		{"generator", "PATH=", events.CodeInvalidArgument},
		{"generator", "vault:../sys", events.CodeInvalidArgument},
		{"generator", strings.Repeat("x", 129), events.CodeInvalidArgument},
	} {
		_, err := r.get(t, test.caller, test.name)
		requireCode(t, test.code, err)
	}
}

// TestTheFileOfRules is the table of policy over the bus.
func TestTheFileOfRules(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("mlsdm/openai", "3", canary)
	r := withRules(t, `
secrets:
  openai_api_key: [vault:mlsdm/openai#api_key, env:OPENAI_API_KEY]
  only_env: [vault:mlsdm/missing, env:ONLY_ENV]
policy:
  embedder: [openai_api_key, only_*]
  generator: ["vault:mlsdm/*"]
  admin: {get: ["*"], refresh: ["*"]}
`, map[string]string{"OPENAI_API_KEY": "fallback", "ONLY_ENV": canary}, vault)
	for _, test := range []struct {
		caller, name string
		code         events.Code
		source       string
	}{
		{"embedder", "openai_api_key", "", "vault"},
		{"embedder", "only_env", "", "env"},
		{"embedder", "only_that_nobody_configured", events.CodeNotFound, ""},
		{"embedder", "vault:mlsdm/openai#api_key", events.CodePermissionDenied, ""},
		{"generator", "vault:mlsdm/openai#api_key", "", "vault"},
		{"generator", "vault:mlsdm/none", events.CodeNotFound, ""},
		{"generator", "vault:other/openai", events.CodePermissionDenied, ""},
		{"generator", "openai_api_key", events.CodePermissionDenied, ""},
		{"admin", "openai_api_key", "", "vault"},
		{"admin", "env:PATH", events.CodePermissionDenied, ""},
		{"dispatcher", "openai_api_key", events.CodePermissionDenied, ""},
	} {
		value, err := r.get(t, test.caller, test.name)
		if test.code != "" {
			requireCode(t, test.code, err)
			continue
		}
		require.NoError(t, err, "%s %s", test.caller, test.name)
		require.Equal(t, test.source, value.Source)
		require.Equal(t, canary, value.Reveal())
	}
}

func TestADenialTellsNothing(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"SECRETD_ALLOW": "openai_api_key", "OPENAI_API_KEY": canary, "EXISTING": "x"})
	texts := map[string]bool{}
	for caller, name := range map[string]string{"generator": "existing", "embedder": "missing", "stranger": "openai_api_key"} {
		_, err := r.get(t, caller, name)
		coded := events.AsError(err)
		require.Equal(t, events.CodePermissionDenied, coded.Code)
		texts[strings.NewReplacer(caller, "C").Replace(coded.Message)] = true
	}
	require.Len(t, texts, 1, "the same words whatever there is")
}

func TestNothingIsGivenOutByDefault(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"OPENAI_API_KEY": canary})
	_, err := r.get(t, "generator", "openai_api_key")
	requireCode(t, events.CodePermissionDenied, err)
}

func TestCallers(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"SECRETD_ALLOW": "key", "SECRETD_CALLERS": "*", "KEY": canary})
	_, err := r.get(t, "whoever", "key")
	require.NoError(t, err)
	_, err = r.get(t, "default", "key")
	requireCode(t, events.CodePermissionDenied, err)

	// There is no plain form, for nobody.
	for _, subject := range []string{"mlsdm.secrets.get", "mlsdm.secrets.list", "mlsdm.secrets.refresh"} {
		_, err = r.Conn(t).RequestWithContext(within(t), subject, []byte(`{"name":"key"}`))
		require.ErrorContains(t, err, "no responders")
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"SECRETD_ALLOW": "key", "KEY": canary})
	nc := r.Conn(t)
	user, err := nkeys.CreateUser()
	require.NoError(t, err)
	userKey, err := user.PublicKey()
	require.NoError(t, err)
	curve, err := nkeys.CreateCurveKeys()
	require.NoError(t, err)
	curveKey, err := curve.PublicKey()
	require.NoError(t, err)
	zero, err := nkeys.Encode(nkeys.PrefixByteCurve, make([]byte, 32))
	require.NoError(t, err)
	request := func(key, nonce, alg string) string {
		return fmt.Sprintf(`{"name":"key","recipient_key":%q,"nonce":%q,"alg":%q}`, key, nonce, alg)
	}
	const nonce = "0123456789abcdef"
	for name, body := range map[string]string{
		"nothing":             "",
		"not JSON":            "key",
		"not UTF-8":           "{\"name\":\"\xff\"}",
		"a list":              `["key"]`,
		"a wrong type":        `{"name":7}`,
		"no key":              `{"name":"key","nonce":"` + nonce + `"}`,
		"an empty key":        request("", nonce, ""),
		"a nonsense key":      request("XAAAA", nonce, ""),
		"an endless key":      request(strings.Repeat("X", 10_000), nonce, ""),
		"the key of a user":   request(userKey, nonce, ""),
		"a key for everybody": request(string(zero), nonce, ""),
		"no nonce":            request(curveKey, "", ""),
		"a short nonce":       request(curveKey, "0123456789abcde", ""),
		"a nonce of lines":    request(curveKey, strings.Repeat("\n", 20), ""),
		"an unknown seal":     request(curveKey, nonce, "none"),
		"another seal":        request(curveKey, nonce, events.SealHybrid),
		"two megabytes":       `{"name":"` + strings.Repeat("x", 2<<20) + `"}`,
		"too deep":            strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
	} {
		msg, err := nc.RequestWithContext(within(t), "mlsdm.as.generator.secrets.get", []byte(body))
		require.NoError(t, err, name)
		coded := events.DecodeError(msg.Header, msg.Data)
		require.NotNil(t, coded, name)
		require.Equal(t, events.CodeInvalidArgument, coded.Code, name)
		require.NotContains(t, string(msg.Data), "canary")
	}
	for operation, body := range map[string]string{
		"list": `{"limit":1001}`, "list ": `{"limit":"x"}`, "list  ": `{"after":"` + strings.Repeat("x", 200) + `"}`,
		"refresh": "", "refresh ": `{"name":"../x"}`, "refresh  ": `{"name":""}`,
	} {
		msg, err := nc.RequestWithContext(within(t), "mlsdm.as.generator.secrets."+strings.TrimSpace(operation), []byte(body))
		require.NoError(t, err)
		require.Equal(t, "invalid_argument", msg.Header.Get(events.HeaderErrorCode), "%s %s", operation, body)
	}
}

// TestCodes is every answer of a store, in the words of the contract.
func TestCodes(t *testing.T) {
	t.Parallel()
	vault := newFake()
	r := withRules(t, "secrets: {key: ['vault:a/key'], safe: ['vault:a/key', 'env:SAFE']}\npolicy: {generator: {get: ['*'], refresh: ['*']}}",
		map[string]string{"SAFE": "from env"}, vault)
	for text, test := range map[string]struct {
		err       error
		code      events.Code
		retryable bool
	}{
		"not found": {secret.ErrNotFound, events.CodeNotFound, false},
		"gone":      {secret.ErrGone, events.CodeNotFound, false},
		"denied":    {secret.ErrDenied, events.CodeUnauthenticated, false},
		"unusable":  {secret.ErrUnusable, events.CodeFailedPrecondition, false},
		"down":      {secret.ErrUnavailable, events.CodeUnavailable, true},
		"broken":    {fmt.Errorf("a fault in the store at %s", canary), events.CodeUnavailable, true},
	} {
		vault := newFake()
		vault.fail(fmt.Errorf("http://inside %s: %w", text, test.err))
		r := withRules(t, "secrets: {key: ['vault:a/key']}\npolicy: {generator: ['*']}", nil, vault)
		_, err := r.get(t, "generator", "key")
		requireCode(t, test.code, err)
		coded := events.AsError(err)
		require.Equal(t, test.retryable, coded.Retryable, text)
		require.NotContains(t, coded.Message, "inside", text)
		if test.code != events.CodeNotFound || text == "gone" {
			require.Equal(t, "vault", coded.Provider, text)
		}
	}
	// Down is no answer, so the next is asked; but when that has none either, nobody knows that there is none.
	vault.fail(secret.ErrUnavailable)
	value, err := r.get(t, "generator", "safe")
	require.NoError(t, err)
	require.Equal(t, "env", value.Source)
	require.Equal(t, health.StatusDegraded, r.checks.Run(t.Context()).Checks["vault"].Status)

	vault.fail(nil)
	vault.set("a/key", "1", canary)
	require.Eventually(t, func() bool { _, err := r.get(t, "generator", "key"); return err == nil }, patience, 10*time.Millisecond)
	var limited error
	for range 50 {
		if _, err := r.get(t, "generator", "key", client.NoCache()); err != nil {
			limited = err
			break
		}
	}
	requireCode(t, events.CodeRateLimited, limited)
	require.Positive(t, events.AsError(limited).RetryAfter)
	_, err = r.get(t, "generator", "key")
	require.NoError(t, err, "what is in the cache is not limited")
	require.Equal(t, health.StatusOK, r.checks.Run(t.Context()).Checks["vault"].Status)
}
