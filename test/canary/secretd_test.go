package canary_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// toldToOperators is what the log names: who asked, for which place, and of which place something is wrong.
//
//nolint:gochecknoglobals // a constant
var toldToOperators = []string{"asked: a caller (zq", "asked: a field (zq", "asked: a file (zq", "a place in Vault", "a place at AWS", "a place at Azure"}

// TestNothingOfAStoreLeaksIntoTelemetry puts canaries into values, the credentials of the stores, what the stores say, the
// environment, and what callers ask for, and looks for them as [TestNothingLeaksIntoTelemetry] does. Nothing of that is content.
func TestNothingOfAStoreLeaksIntoTelemetry(t *testing.T) {
	t.Parallel()
	for name, capture := range map[string]bool{"without content": false, "with content": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storesLeak(t, capture)
		})
	}
}

func storesLeak(t *testing.T, capture bool) {
	t.Helper()
	srv := bustest.Start(t)
	said := planted{}
	stores := said.newStores(t)
	got, otlp := newExported(t)
	dir := t.TempDir()
	values := map[string]string{
		"in_environment": said.word("a value of the environment"), "in_file": said.word("a value of a file"),
		"in_vault": stores.values["vault"], "at_aws": stores.values["aws"], "at_azure": stores.values["azure"],
	}
	rules := write(t, dir, "rules.yaml", fmt.Sprintf(`
secrets:
  in_environment: ["env:OF_THE_ENVIRONMENT"]
  in_file: ["file:%s"]
  in_vault: ["vault:mlsdm/%s#value"]
  at_aws: ["aws:mlsdm/%s"]
  at_azure: ["azure:%s"]
policy:
  reader: {get: ["*", "vault:*", "aws:*", "azure:*", "env:*", "file:/*"], list: ["*"], refresh: ["*"]}
`, write(t, dir, "mounted", values["in_file"]+"\n"), said.word("a place in Vault"), said.word("a place at AWS"), said.word("a place at Azure")))
	told := tell(t, srv.URL(), otlp, capture, map[string]map[string]string{"secretd": {
		"SECRETD_CONFIG": rules, "SECRETD_FILE_ROOTS": dir, "SECRETD_MAX_STALE": "0s",
		"OF_THE_ENVIRONMENT": values["in_environment"], "CANARY_" + said.word("the name of a variable"): said.mixed("a variable"),
		"HTTPS_PROXY": stores.proxy, "SSL_CERT_FILE": stores.roots, "AWS_CA_BUNDLE": stores.roots,
		"VAULT_ADDR": "https://" + vaultHost, "VAULT_TOKEN": said.word("Vault's token"), "VAULT_NAMESPACE": said.word("a namespace"),
		"AWS_REGION": awsRegion, "AWS_ACCESS_KEY_ID": said.word("the id of a key"), "AWS_SECRET_ACCESS_KEY": said.word("a key"),
		"AWS_SESSION_TOKEN": said.token("a session"),
		"AZURE_VAULT_URL":   "https://" + azureHost, "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": "00000000-0000-0000-0000-00000000bbbb",
		"AZURE_CLIENT_SECRET": said.word("a client's secret"),
	}})
	reader, err := client.Connect(within(t), srv.URL(), client.Caller("reader"))
	require.NoError(t, err)
	t.Cleanup(reader.Close)
	for name, want := range values {
		var value client.Secret
		require.Eventually(t, func() bool { // a service that is ready may still be on its way to the subject
			value, err = reader.Secret(within(t), name)
			return events.CodeOf(err) != events.CodeUnavailable
		}, process.Patience, 20*time.Millisecond)
		require.NoError(t, err, name)
		require.Equal(t, want, value.Reveal(), name)
	}
	said.askForSecrets(t, srv.URL(), reader)
	for _, how := range []int32{refusing, failing} { // what was good before is then asked for again
		stores.mood.Store(how)
		for _, name := range []string{"in_vault", "at_aws", "at_azure"} {
			_, err := reader.RefreshSecret(within(t), name)
			require.Error(t, err, name)
		}
		said.askForSecrets(t, srv.URL(), reader)
	}
	require.Eventually(t, func() bool {
		traces := got.of("traces")
		return bytes.Contains(traces, []byte(vaultHost)) && bytes.Contains(traces, []byte(awsHost)) && bytes.Contains(traces, []byte(azureHost))
	}, process.Patience, 50*time.Millisecond)

	seen := told.stop(t, got)
	require.Contains(t, string(seen["/metrics of secretd"]), `mlsdm_secret_store_call_seconds_count{service="secretd",store="azure"}`)
	for where, canary := range said {
		for place, text := range seen {
			if strings.Contains(place, "log") && slices.ContainsFunc(toldToOperators, func(what string) bool { return strings.HasPrefix(where, what) }) {
				continue
			}
			if place == "traces" && strings.HasPrefix(where, "asked: a caller") { // who asks is said: mlsdm.caller
				continue
			}
			at := bytes.Index(text, []byte(canary))
			assert(t, at < 0, "%s is in %s: …%.300q", where, place, text[max(at-200, 0):max(at, 0)])
		}
	}
}

// askForSecrets asks for what there is not, by names and references with canaries in all fields.
func (p planted) askForSecrets(t *testing.T, url string, reader *client.Client) {
	t.Helper()
	for _, name := range []string{
		p.word("asked: a name"), "vault:mlsdm/" + p.word("asked: a place in Vault") + "#" + p.word("asked: a field"),
		"vault:/" + p.word("asked: a mount") + "/" + p.email("asked: a path"), "aws:" + p.word("asked: a place at AWS") + "@" + p.word("asked: a label"),
		"azure:" + p.word("asked: a place at Azure") + "@" + p.word("asked: a version"), "env:" + strings.ToUpper(p.word("asked: a variable")), "file:/" + p.word("asked: a file"),
		p.word("asked: a store") + ":x", "no name: " + p.mixed("asked: no name"),
	} {
		_, err := reader.Secret(within(t), name)
		require.Error(t, err, name)
	}
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	defer nc.Close()
	for _, body := range []string{
		fmt.Sprintf(`{"name":"in_vault","nonce":%q,"recipient_key":%q,"alg":%q}`, p.word("asked: a nonce"), p.word("asked: a key"), p.word("asked: an algorithm")),
		fmt.Sprintf(`{"name":"in_vault","%s":%q}`, p.word("asked: a member"), p.mixed("asked: what is in it")), "{" + p.mixed("asked: no JSON"),
	} {
		for _, caller := range []string{"reader", p.word("asked: a caller")} {
			for _, operation := range []string{"get", "list", "refresh"} {
				ctx, cancel := context.WithTimeout(t.Context(), process.Patience)
				_, err := nc.RequestWithContext(ctx, "mlsdm.as."+caller+".secrets."+operation, []byte(body))
				cancel()
				require.NoError(t, err)
			}
		}
	}
}
