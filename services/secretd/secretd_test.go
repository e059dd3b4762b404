package secretd_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/env"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

const canary = "sk-canary31337"

func TestSecretsAreGivenToWhoMayHaveThem(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{
		"SECRETD_ALLOW": "openai_api_key,db.main-password,empty,unset", "OPENAI_API_KEY": canary, "DB_MAIN_PASSWORD": "pw " + canary,
		"EMPTY": "", "GITHUB_TOKEN": "ghp_" + canary,
	})
	for name, want := range map[string]string{"openai_api_key": canary, "db.main-password": "pw " + canary} {
		value, err := r.as(t, "generator").Secret(within(t), name)
		require.NoError(t, err)
		require.Equal(t, want, value.Reveal())
		require.Equal(t, "env", value.Source)
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
		{"stranger", "openai_api_key", events.CodePermissionDenied},
		{"default", "openai_api_key", events.CodePermissionDenied},
		{"generator", "", events.CodeInvalidArgument},
		{"generator", "../openai_api_key", events.CodeInvalidArgument},
		{"generator", "openai_api_key\x00", events.CodeInvalidArgument},
		{"generator", "PATH=", events.CodeInvalidArgument},
	} {
		_, err := r.as(t, test.caller).Secret(within(t), test.name)
		requireCode(t, test.code, err)
	}
}

func TestADenialTellsNothing(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"SECRETD_ALLOW": "openai_api_key", "OPENAI_API_KEY": canary, "EXISTING": "x"})
	texts := map[string]bool{}
	for caller, name := range map[string]string{"generator": "existing", "embedder": "missing", "stranger": "openai_api_key"} {
		_, err := r.as(t, caller).Secret(within(t), name)
		coded := events.AsError(err)
		require.Equal(t, events.CodePermissionDenied, coded.Code)
		texts[strings.NewReplacer(caller, "C", name, "N").Replace(coded.Message)] = true
	}
	require.Len(t, texts, 1, "the same words whatever there is")
}

func TestNothingIsGivenOutByDefault(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"OPENAI_API_KEY": canary})
	_, err := r.as(t, "generator").Secret(within(t), "openai_api_key")
	requireCode(t, events.CodePermissionDenied, err)
}

func TestCallers(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"SECRETD_ALLOW": "key", "SECRETD_CALLERS": "*", "KEY": canary})
	_, err := r.as(t, "whoever").Secret(within(t), "key")
	require.NoError(t, err)
	_, err = r.as(t, "default").Secret(within(t), "key")
	requireCode(t, events.CodePermissionDenied, err)

	// There is no plain form, for nobody.
	_, err = r.Conn(t).RequestWithContext(within(t), "mlsdm.secrets.get", []byte(`{"name":"key"}`))
	require.ErrorContains(t, err, "no responders")
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"SECRETD_ALLOW": "key", "KEY": canary})
	nc := r.Conn(t)
	user, err := nkeys.CreateUser()
	require.NoError(t, err)
	userKey, err := user.PublicKey()
	require.NoError(t, err)
	zero, err := nkeys.Encode(nkeys.PrefixByteCurve, make([]byte, 32))
	require.NoError(t, err)
	for name, body := range map[string]string{
		"nothing":             "",
		"not JSON":            "key",
		"not UTF-8":           "{\"name\":\"\xff\"}",
		"a list":              `["key"]`,
		"a wrong type":        `{"name":7}`,
		"no key":              `{"name":"key"}`,
		"an empty key":        `{"name":"key","recipient_key":""}`,
		"a nonsense key":      `{"name":"key","recipient_key":"XAAAA"}`,
		"an endless key":      `{"name":"key","recipient_key":"` + strings.Repeat("X", 10_000) + `"}`,
		"the key of a user":   `{"name":"key","recipient_key":"` + userKey + `"}`,
		"a key for everybody": `{"name":"key","recipient_key":"` + string(zero) + `"}`,
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
}

// What is seen by everyone: the bus, the log, the metrics, the errors.
func TestTheValueIsNowhere(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x", secret.MaxValue) + canary
	r := start(t, map[string]string{"SECRETD_ALLOW": "key,huge", "KEY": canary, "HUGE": huge})
	nc := r.Conn(t)
	sub, err := nc.SubscribeSync(">")
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	require.NoError(t, nc.Flush())

	c := r.as(t, "generator")
	value, err := c.Secret(within(t), "key")
	require.NoError(t, err)
	require.Equal(t, canary, value.Reveal())
	_, err = c.Secret(within(t), "huge")
	requireCode(t, events.CodeFailedPrecondition, err)
	_, other := r.as(t, "stranger").Secret(within(t), "key")
	requireCode(t, events.CodePermissionDenied, other)
	// A caller who sends the value in the place of the name does not find it in the log.
	_, misplaced := c.Secret(within(t), "=/"+canary)
	requireCode(t, events.CodeInvalidArgument, misplaced)
	stats, err := nc.Request("$SRV.STATS.mlsdm-secretd", nil, patience)
	require.NoError(t, err)
	r.stop()

	var seen bytes.Buffer
	fmt.Fprintln(&seen, err, other, stats.Header, string(stats.Data), r.log.String())
	families, err := r.metrics.Gather()
	require.NoError(t, err)
	require.NotEmpty(t, families)
	for _, family := range families {
		fmt.Fprintln(&seen, family.String())
	}
	replies := 0
	require.NoError(t, nc.Flush())
	pending, _, err := sub.Pending()
	require.NoError(t, err)
	for range pending {
		msg, err := sub.NextMsg(patience)
		require.NoError(t, err)
		if strings.HasPrefix(msg.Subject, "mlsdm.as.generator.") && strings.Contains(string(msg.Data), `"=/`) {
			continue // the misplaced value, which its caller sent
		}
		if strings.Contains(string(msg.Data), `"sealed"`) {
			replies++
		}
		fmt.Fprintln(&seen, msg.Subject, msg.Header, string(msg.Data))
	}
	require.Equal(t, 1, replies, "the reply was overheard")
	text := seen.String()
	for _, form := range []string{
		canary, "canary31337", hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))),
		base64.StdEncoding.EncodeToString([]byte(canary))[:16], base64.URLEncoding.EncodeToString([]byte(canary))[:16],
		base64.StdEncoding.EncodeToString([]byte("x" + canary))[4:16], base64.StdEncoding.EncodeToString([]byte("xx" + canary))[4:16],
		fmt.Sprintf("%d", []byte(canary)),
	} {
		require.NotContains(t, text, form)
	}
}

func TestEveryRequestIsRecorded(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"SECRETD_ALLOW": "key", "KEY": canary})
	for _, ask := range []struct{ caller, name string }{{"generator", "key"}, {"stranger", "key"}, {"generator", "a\nb"}} {
		_, err := r.as(t, ask.caller).Secret(within(t), ask.name)
		require.Equal(t, ask.caller == "stranger" || ask.name != "key", err != nil)
	}
	r.stop()
	type record struct{ Caller, Secret, Outcome, Provider string }
	var got []record
	for _, line := range r.log.records() {
		var one record
		require.NoError(t, json.Unmarshal([]byte(line), &one))
		got = append(got, one)
	}
	require.Equal(t, []record{
		{"generator", "key", "given", "env"}, {"stranger", "key", "permission_denied", ""}, {"generator", "", "invalid_argument", ""},
	}, got)
}

// The store that asks secretd keeps the contract of the store behind it.
func TestContractOverTheBus(t *testing.T) {
	t.Parallel()
	ask := func(t *testing.T, environment map[string]string) secret.Store {
		t.Helper()
		store, err := remote.New(start(t, environment).Connect(t, "generator"), "generator")
		require.NoError(t, err)
		return store
	}
	secrettest.Run(t, secrettest.Harness{
		Source: "env",
		New: func(t *testing.T, values map[string]string) secret.Store {
			t.Helper()
			environment := map[string]string{"SECRETD_ALLOW": strings.Join(secrettest.Names(), ",")}
			for text, value := range values {
				name, err := secret.ParseName(text)
				require.NoError(t, err)
				environment[env.Variable(name)] = value
			}
			return ask(t, environment)
		},
		Denied: func(t *testing.T) secret.Store { t.Helper(); return ask(t, nil) },
		Down: func(t *testing.T) secret.Store {
			t.Helper()
			r := start(t, nil)
			store, err := remote.New(r.Connect(t, "generator"), "generator")
			require.NoError(t, err)
			r.stop()
			return store
		},
	})
	_, err := remote.New(nil, "a.b")
	requireCode(t, events.CodeInvalidArgument, err)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	load := func(environment map[string]string) (secretd.Config, error) {
		var cfg secretd.Config
		_, err := config.Load(&cfg, config.Options{Name: "secretd", Lookup: func(name string) (string, bool) {
			value, ok := environment[name]
			return value, ok
		}})
		return cfg, err
	}
	cfg, err := load(nil)
	require.NoError(t, err)
	require.Empty(t, cfg.Allow)
	require.Equal(t, []string{"ciwatch", "embedder", "generator", "dispatcher"}, cfg.Callers)
	for name, test := range map[string]struct {
		environment map[string]string
		complaint   string
	}{
		"a name that climbs": {map[string]string{"SECRETD_ALLOW": "good,../bad"}, "secretd-allow"},
		"who has no name":    {map[string]string{"SECRETD_CALLERS": "generator,default"}, "secretd-callers"},
		"no token of a name": {map[string]string{"SECRETD_CALLERS": "a.b"}, "a.b"},
		"an unknown store":   {map[string]string{"SECRETD_STORES": "env,paper"}, `"paper"`},
		"a store twice":      {map[string]string{"SECRETD_STORES": "env,env"}, "twice"},
		"vault without URL":  {map[string]string{"SECRETD_STORES": "vault"}, "vault-addr"},
		"aws without region": {map[string]string{"SECRETD_STORES": "aws"}, "aws-region"},
		"azure without URL":  {map[string]string{"SECRETD_STORES": "azure"}, "azure-vault-url"},
		"azure without TLS":  {map[string]string{"SECRETD_ALLOW": "key", "AZURE_VAULT_URL": "http://x.vault.azure.net"}, "azure-vault-url"},
		"vault without token": {
			map[string]string{"SECRETD_ALLOW": "key", "VAULT_ADDR": "https://vault:8200"}, "token",
		},
	} {
		_, err = load(test.environment)
		require.ErrorContains(t, err, test.complaint, name)
	}
	_, err = load(map[string]string{"SECRETD_STORES": "env", "VAULT_ADDR": "https://vault:8200", "AZURE_VAULT_URL": "http://x.vault.azure.net"})
	require.NoError(t, err, "a store that is not asked need not be reachable")
	_, err = load(map[string]string{"VAULT_ADDR": "https://vault:8200"})
	require.NoError(t, err, "where nothing may be given out, nobody is asked")
}
