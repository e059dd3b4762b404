package secretd_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// accesses returns the records of the audit, waiting until there are so many.
func (r *running) accesses(t *testing.T, atLeast int) []events.SecretAccess {
	t.Helper()
	return stored[events.SecretAccess](t, r.Server, "MLSDM_AUDIT", "mlsdm.audit.secrets", atLeast)
}

// TestEveryAccessIsRecorded: allowed or not, with the hash of the name, and with neither name nor value.
func TestEveryAccessIsRecorded(t *testing.T) {
	t.Parallel()
	auditKey := []byte(strings.Repeat("k", 32))
	vault := newFake()
	vault.set("key", "7", canary)
	r := withRules(t, "secrets: {openai_key: ['vault:key']}\npolicy: {generator: {get: ['*'], refresh: ['*']}}",
		map[string]string{"SECRETD_AUDIT_KEY": base64.StdEncoding.EncodeToString(auditKey)}, vault)
	began := time.Now()
	for _, ask := range []struct {
		caller, name string
		options      []client.SecretOption
	}{
		{"generator", "openai_key", nil},
		{"generator", "openai_key", []client.SecretOption{client.NoCache()}},
		{"stranger", "openai_key", nil},
		{"generator", "a\nb", nil},
		{"generator", canary, nil},
	} {
		_, _ = r.get(t, ask.caller, ask.name, ask.options...) // what comes of it is in the record
	}
	c := r.as(t, "generator")
	_, err := c.ListSecrets(within(t), 0, "")
	require.NoError(t, err)
	_, err = c.RefreshSecret(within(t), "openai_key")
	require.NoError(t, err)
	r.stop()

	mac := hmac.New(sha256.New, auditKey)
	mac.Write([]byte("openai_key"))
	hash := hex.EncodeToString(mac.Sum(nil))
	records := r.accesses(t, 7)
	require.Len(t, records, 7)
	for i := range records {
		require.WithinDuration(t, began, records[i].Time, patience)
		require.Positive(t, records[i].LatencyMS)
		records[i].Time, records[i].LatencyMS = time.Time{}, 0
	}
	require.Len(t, records[4].NameHash, 64, "it could have been a name")
	records[4].NameHash = ""
	require.Equal(t, []events.SecretAccess{
		{Caller: "generator", Operation: "secrets.get", NameHash: hash, Outcome: "given", Source: "vault", Version: "7"},
		{Caller: "generator", Operation: "secrets.get", NameHash: hash, Outcome: "given", Source: "vault", Version: "7", NoCache: true},
		{Caller: "stranger", Operation: "secrets.get", NameHash: hash, Outcome: "permission_denied"},
		{Caller: "generator", Operation: "secrets.get", Outcome: "invalid_argument"},
		{Caller: "generator", Operation: "secrets.get", Outcome: "not_found"},
		{Caller: "generator", Operation: "secrets.list", Outcome: "given"},
		{Caller: "generator", Operation: "secrets.refresh", NameHash: hash, Outcome: "given", Source: "vault", Version: "7", NoCache: true},
	}, records)
	require.NoError(t, r.Connect(t, "reader").Scan(within(t), bus.ScanConfig{Stream: "MLSDM_AUDIT"}, func(m *bus.Message) (bool, error) {
		require.NotContains(t, string(m.Body), "openai_key")
		require.NotContains(t, string(m.Body), "canary")
		return true, nil
	}))
}

// TestTheAuditOutlivesItsStream: secrets are given while the records wait, and none of those is lost.
func TestTheAuditOutlivesItsStream(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"SECRETD_ALLOW": "key", "KEY": canary})
	nc := r.Conn(t)
	_, err := r.get(t, "generator", "key")
	require.NoError(t, err)
	r.accesses(t, 1)
	_, err = nc.RequestWithContext(within(t), "$JS.API.STREAM.DELETE.MLSDM_AUDIT", nil)
	require.NoError(t, err)
	for range 20 {
		_, err := r.get(t, "generator", "key")
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return r.checks.Run(t.Context()).Checks["audit"].Status == health.StatusDegraded }, patience, 10*time.Millisecond)
	r.Provision(t)
	require.Len(t, r.accesses(t, 20), 20)
	require.Eventually(t, func() bool { return r.checks.Run(t.Context()).Checks["audit"].Status == health.StatusOK }, patience, 10*time.Millisecond)
}
