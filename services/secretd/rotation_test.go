package secretd_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const keyRules = "secrets: {key: ['vault:key'], other: ['vault:other']}\npolicy: {generator: {get: ['*', 'vault:*'], refresh: ['*']}}"

// TestARotationIsToldOnce over all replicas, which all have the new version then; and over restarts.
func TestARotationIsToldOnce(t *testing.T) {
	t.Parallel()
	on, vault := bustest.Start(t), newFake()
	vault.set("key", "1", "first")
	vault.set("other", "1", "never rotated")
	var replicas []*running
	for range 3 {
		replicas = append(replicas, withRulesOn(t, on, keyRules, nil, vault))
	}
	r := replicas[0]
	allHave := func(want string) {
		t.Helper()
		c := r.as(t, "generator")
		require.Eventually(t, func() bool {
			for range 20 { // whichever answers
				value, err := c.Secret(within(t), "key")
				require.NoError(t, err)
				if value.Reveal() != want {
					return false
				}
			}
			return true
		}, patience, 10*time.Millisecond)
	}
	allHave("first")
	_, err := r.get(t, "generator", "other")
	require.NoError(t, err)
	for version, text := range []string{"second", "third"} {
		vault.set("key", string(rune('2'+version)), text)
		refreshed, err := r.as(t, "generator").RefreshSecret(within(t), "key")
		require.NoError(t, err)
		require.True(t, refreshed.Rotated)
		require.Equal(t, string(rune('1'+version)), refreshed.PreviousVersion)
		rotated(t, on, version+1)
		allHave(text)
	}
	again, err := r.as(t, "generator").RefreshSecret(within(t), "key")
	require.NoError(t, err)
	require.False(t, again.Rotated)

	for _, replica := range replicas {
		replica.stop()
	}
	vault.set("key", "4", "while nobody looked")
	r = withRulesOn(t, on, keyRules, nil, vault)
	value, err := r.get(t, "generator", "key")
	require.NoError(t, err)
	require.Equal(t, "while nobody looked", value.Reveal())
	require.Equal(t, []events.SecretRotated{
		{Name: "key", Store: "vault", Version: "2", PreviousVersion: "1"},
		{Name: "key", Store: "vault", Version: "3", PreviousVersion: "2"},
		{Name: "key", Store: "vault", Version: "4", PreviousVersion: "3"},
	}, rotated(t, on, 3))

	// And of a reference that is asked for, once it is known to be.
	_, err = r.get(t, "generator", "vault:key")
	require.NoError(t, err)
	kv, err := on.Connect(t, "reader").KV(within(t), events.BucketSecrets)
	require.NoError(t, err)
	var keys []string
	require.Eventually(t, func() bool {
		keys, err = kv.Keys(within(t))
		require.NoError(t, err)
		return len(keys) == 3 // key, other, vault:key
	}, patience, 10*time.Millisecond, "%v", keys)
	vault.set("key", "5", "fifth")
	_, err = r.as(t, "generator").RefreshSecret(within(t), "key")
	require.NoError(t, err)
	names := map[string]int{}
	for _, event := range rotated(t, on, 5)[3:] {
		require.Equal(t, "5", event.Version)
		names[event.Name]++
	}
	require.Equal(t, map[string]int{"key": 1, "vault:key": 1}, names)
}

// TestWhatACrashCutShortIsToldAgain: a version that was written down and never told.
func TestWhatACrashCutShortIsToldAgain(t *testing.T) {
	t.Parallel()
	on := bustest.Start(t)
	kv, err := on.Connect(t, "crashed").KV(within(t), events.BucketSecrets)
	require.NoError(t, err)
	_, err = kv.Put(within(t), "seen.name.key", []byte(
		`{"name":"key","source":"vault","version":"2","previous_version":"1","since":"2026-11-23T10:00:00Z","untold":true}`))
	require.NoError(t, err)
	_, err = kv.Put(within(t), "seen.name.broken", []byte(`{`))
	require.NoError(t, err)
	withRulesOn(t, on, keyRules, nil, newFake())
	require.Equal(t, []events.SecretRotated{{Name: "key", Store: "vault", Version: "2", PreviousVersion: "1"}}, rotated(t, on, 1))
	require.Eventually(t, func() bool {
		text, _, err := kv.Get(within(t), "seen.name.key")
		require.NoError(t, err)
		return !strings.Contains(string(text), "untold")
	}, patience, 10*time.Millisecond)
}

// TestAStoreThatIsDown: the stale value is served, and marked; when its time is over too, there is an error; and one event tells.
func TestAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("key", "1", canary)
	r := withRules(t, "secrets: {key: {from: ['vault:key'], ttl: 1s, max_stale: 6s}, strict: {from: ['vault:key'], ttl: 1s, max_stale: 0s}}\npolicy: {generator: ['*']}", nil, vault)
	value, err := r.get(t, "generator", "key")
	require.NoError(t, err)
	require.False(t, value.Stale)
	require.Eventually(t, func() bool { // it has been noted
		kv, err := r.Connect(t, "reader").KV(within(t), events.BucketSecrets)
		require.NoError(t, err)
		_, _, err = kv.Get(within(t), "seen.name.key")
		return err == nil
	}, patience, 10*time.Millisecond)
	vault.fail(secret.ErrUnavailable)
	c := r.as(t, "generator")
	require.Eventually(t, func() bool {
		value, err := c.Secret(within(t), "key")
		require.NoError(t, err)
		require.Equal(t, canary, value.Reveal())
		return value.Stale
	}, patience, 5*time.Millisecond)
	list, err := c.ListSecrets(within(t), 0, "")
	require.NoError(t, err)
	require.Equal(t, events.SecretStale, list.Secrets[0].State)
	out := stored[events.SecretUnavailable](t, r.Server, "MLSDM_EVENTS", "mlsdm.events.secret.unavailable", 1)
	require.Equal(t, "key", out[0].Name)
	require.Equal(t, "vault", out[0].Store)
	require.Equal(t, events.CodeUnavailable, out[0].Code)

	require.Eventually(t, func() bool {
		_, err = c.Secret(within(t), "key")
		return err != nil
	}, patience, 10*time.Millisecond)
	requireCode(t, events.CodeUnavailable, err)
	vault.fail(nil)
	require.Eventually(t, func() bool {
		value, err := c.Secret(within(t), "key")
		return err == nil && !value.Stale
	}, patience, 10*time.Millisecond)
	for _, event := range stored[events.SecretUnavailable](t, r.Server, "MLSDM_EVENTS", "mlsdm.events.secret.unavailable", 1) {
		require.Contains(t, []string{"key", "strict"}, event.Name)
	}
}

// TestAnOutageThatCannotBeToldOf is told of when that is possible again.
func TestAnOutageThatCannotBeToldOf(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("key", "1", canary)
	r := withRules(t, "secrets: {key: {from: ['vault:key'], ttl: 1s}}\npolicy: {generator: ['*']}", nil, vault)
	_, err := r.get(t, "generator", "key")
	require.NoError(t, err)
	kv, err := r.Connect(t, "reader").KV(within(t), events.BucketSecrets)
	require.NoError(t, err)
	noted := func(what string) func() bool {
		return func() bool {
			text, _, err := kv.Get(within(t), "seen.name.key")
			return err == nil && strings.Contains(string(text), what)
		}
	}
	require.Eventually(t, noted("since"), patience, 10*time.Millisecond)
	_, err = r.Conn(t).Request("$JS.API.STREAM.DELETE.MLSDM_EVENTS", nil, patience)
	require.NoError(t, err)
	vault.fail(secret.ErrUnavailable)
	require.Eventually(t, noted("out_since"), patience, 10*time.Millisecond)
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "could not be written down or told") }, patience, 10*time.Millisecond)
	r.Provision(t)
	out := stored[events.SecretUnavailable](t, r.Server, "MLSDM_EVENTS", "mlsdm.events.secret.unavailable", 1)
	require.Equal(t, "key", out[0].Name)
}

// TestAPurge: what a store refuses is not served any more.
func TestAPurge(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("key", "1", canary)
	r := withRules(t, "secrets: {key: {from: ['vault:key'], ttl: 1s}}\npolicy: {generator: ['*']}", nil, vault)
	_, err := r.get(t, "generator", "key")
	require.NoError(t, err)
	vault.fail(secret.ErrDenied)
	c := r.as(t, "generator")
	require.Eventually(t, func() bool {
		_, err = c.Secret(within(t), "key")
		return err != nil
	}, patience, 5*time.Millisecond)
	requireCode(t, events.CodeUnauthenticated, err)
	list, err := c.ListSecrets(within(t), 0, "")
	require.NoError(t, err)
	require.Equal(t, events.SecretRefusing, list.Secrets[0].State)
}

// TestTheBucketHoldsNoValue, and what is in it is what the issue of the signing key needs.
func TestTheBucketHoldsNoValue(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("key", "1", canary)
	r := withRules(t, keyRules, nil, vault)
	value, err := r.get(t, "generator", "key")
	require.NoError(t, err)
	b := r.Connect(t, "reader")
	kv, err := b.KV(within(t), events.BucketSecrets)
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, _, err := kv.Get(within(t), "seen.name.key"); return err == nil }, patience, 10*time.Millisecond)
	text, _, err := kv.Get(within(t), "seen.name.key")
	require.NoError(t, err)
	var entry map[string]any
	require.NoError(t, json.Unmarshal(text, &entry))
	since, err := time.Parse(time.RFC3339Nano, entry["since"].(string)) //nolint:errcheck,forcetypeassert // a test
	require.NoError(t, err)
	require.True(t, since.Equal(value.FetchedAt))
	delete(entry, "since")
	require.Equal(t, map[string]any{"name": "key", "source": "vault", "version": "1"}, entry)
	require.NoError(t, b.Scan(within(t), bus.ScanConfig{Stream: "KV_mlsdm_secrets"}, func(m *bus.Message) (bool, error) {
		require.NotContains(t, string(m.Body), "canary")
		return true, nil
	}))
}

// TestAFileThatChanges is seen without anybody asking; and what has no versions that replicas share is told all the same.
func TestAFileThatChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "openai")
	require.NoError(t, os.WriteFile(path, []byte("first"), 0o600))
	r := withRules(t, "secrets: {key: ['file:"+path+"']}\npolicy: {generator: [key]}", map[string]string{"SECRETD_FILE_ROOTS": dir})
	value, err := r.get(t, "generator", "key")
	require.NoError(t, err)
	require.Equal(t, "first", value.Reveal())
	kv, err := r.Connect(t, "reader").KV(within(t), events.BucketSecrets)
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, _, err := kv.Get(within(t), "seen.name.key"); return err == nil }, patience, 10*time.Millisecond)
	require.NoError(t, os.WriteFile(path+".next", []byte("second"), 0o600))
	require.NoError(t, os.Rename(path+".next", path))
	require.Equal(t, []events.SecretRotated{{Name: "key", Store: "file"}}, rotated(t, r.Server, 1))
	value, err = r.get(t, "generator", "key")
	require.NoError(t, err)
	require.Equal(t, "second", value.Reveal())
}
