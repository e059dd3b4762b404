package secretd_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

// forms are the ways in which the canary could show itself.
func forms() []string {
	return []string{
		canary, "canary31337", hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))),
		base64.StdEncoding.EncodeToString([]byte(canary))[:16], base64.URLEncoding.EncodeToString([]byte(canary))[:16],
		base64.StdEncoding.EncodeToString([]byte("x" + canary))[4:16], base64.StdEncoding.EncodeToString([]byte("xx" + canary))[4:16],
		fmt.Sprintf("%d", []byte(canary)),
	}
}

// TestTheValueIsNowhere: on the bus, in the log, in the metrics, in errors.
func TestTheValueIsNowhere(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("key", "1", canary)
	vault.set("huge", "1", strings.Repeat("x", secret.MaxValue)+canary)
	r := withRules(t, `
secrets: {key: ["vault:key"], huge: ["vault:huge"], panics: ["vault:panics"], failing: [env:FAILING]}
policy: {generator: {get: ["*"], refresh: ["*"]}}
`, nil, &panicking{fake: vault})
	nc := r.Conn(t)
	sub, err := nc.SubscribeSync(">")
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	require.NoError(t, nc.Flush())

	var seen bytes.Buffer
	c := r.as(t, "generator")
	for _, options := range [][]client.SecretOption{nil, {client.Hybrid()}, {client.NoCache()}} {
		value, err := c.Secret(within(t), "key", options...)
		require.NoError(t, err)
		require.Equal(t, canary, value.Reveal())
		fmt.Fprintf(&seen, "%v %+v %#v", value, &value, value)
	}
	for name, code := range map[string]events.Code{
		"huge": events.CodeFailedPrecondition, "panics": events.CodeUnavailable, "failing": events.CodeNotFound,
		// A caller who sends the value in the place of the name does not find it in the log.
		"=/" + canary: events.CodeInvalidArgument, canary: events.CodeNotFound, "vault:" + canary: events.CodePermissionDenied,
	} {
		_, err := c.Secret(within(t), name)
		requireCode(t, code, err)
		fmt.Fprintln(&seen, err)
	}
	_, err = c.RefreshSecret(within(t), "key")
	require.NoError(t, err)
	_, err = c.ListSecrets(within(t), 0, "")
	require.NoError(t, err)
	_, err = r.get(t, "stranger", "key")
	requireCode(t, events.CodePermissionDenied, err)
	vault.set("key", "2", canary+"again")
	_, err = c.RefreshSecret(within(t), "key")
	require.NoError(t, err)
	rotated(t, r.Server, 1)
	stats, err := nc.Request("$SRV.STATS.mlsdm-secretd", nil, patience)
	require.NoError(t, err)
	r.stop()

	fmt.Fprintln(&seen, err, stats.Header, string(stats.Data), r.log.String())
	families, err := r.metrics.Gather()
	require.NoError(t, err)
	require.NotEmpty(t, families)
	for _, family := range families {
		fmt.Fprintln(&seen, family.String())
	}
	require.NoError(t, nc.Flush())
	pending, _, err := sub.Pending()
	require.NoError(t, err)
	replies := 0
	for range pending {
		msg, err := sub.NextMsg(patience)
		require.NoError(t, err)
		if strings.HasSuffix(msg.Subject, ".secrets.get") && strings.Contains(string(msg.Data), "canary") {
			continue // what its caller sent
		}
		if strings.Contains(string(msg.Data), `"sealed":"`) {
			replies++
		}
		fmt.Fprintln(&seen, msg.Subject, msg.Header, string(msg.Data))
	}
	require.Equal(t, 3, replies, "the replies were overheard")
	for _, form := range forms() {
		require.NotContains(t, seen.String(), form)
	}
}

// panicking is a store that has a fault.
type panicking struct{ *fake }

// Get implements [secret.Store].
func (p *panicking) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	if ref.Path == "panics" {
		panic("a fault with " + canary)
	}
	return p.fake.Get(ctx, ref)
}

// TestARecordedRequestIsOfNoUse: whoever replays it gets what only the one who made it can open, whoever replays a reply nothing.
func TestARecordedRequestIsOfNoUse(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("key", "1", canary)
	r := withRules(t, keyRules, nil, vault)
	nc := r.Conn(t)
	overheard, err := nc.SubscribeSync("mlsdm.as.generator.secrets.get")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	replyTo := nc.NewInbox()
	replies, err := nc.SubscribeSync("_INBOX_generator.>")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	_, err = r.get(t, "generator", "key")
	require.NoError(t, err)
	request, err := overheard.NextMsg(patience)
	require.NoError(t, err)
	reply, err := replies.NextMsg(patience)
	require.NoError(t, err)
	var recorded events.SecretResponse
	require.NoError(t, json.Unmarshal(reply.Data, &recorded))

	again, err := nc.SubscribeSync(replyTo)
	require.NoError(t, err)
	require.NoError(t, nc.PublishRequest(request.Subject, replyTo, request.Data))
	msg, err := again.NextMsg(patience)
	require.NoError(t, err)
	var second events.SecretResponse
	require.NoError(t, json.Unmarshal(msg.Data, &second))
	require.NotEqual(t, recorded.SenderKey, second.SenderKey)
	require.NotEqual(t, recorded.Sealed, second.Sealed)

	attacker, err := seal.NewAsker("")
	require.NoError(t, err)
	attacker.Request("key", false)
	for _, stolen := range []events.SecretResponse{recorded, second} {
		_, err := attacker.Open("generator", "key", "", stolen)
		require.ErrorIs(t, err, seal.ErrReply)
		stolen.Nonce = attacker.Request("key", false).Nonce
		_, err = attacker.Open("generator", "key", "", stolen)
		require.ErrorIs(t, err, seal.ErrReply)
	}
	// The request of one, sent in the name of another who may not have it, is denied.
	require.NoError(t, nc.PublishRequest("mlsdm.as.stranger.secrets.get", replyTo, request.Data))
	msg, err = again.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "permission_denied", msg.Header.Get(events.HeaderErrorCode))
}

// TestCallersKnowTheirSecretd: by the key that it is given, and that it publishes.
func TestCallersKnowTheirSecretd(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateUser()
	require.NoError(t, err)
	seed, err := pair.Seed()
	require.NoError(t, err)
	public, err := pair.PublicKey()
	require.NoError(t, err)
	r := start(t, map[string]string{"SECRETD_ALLOW": "key", "KEY": canary, "SECRETD_SIGNING_KEY": string(seed)})
	value, err := r.as(t, "generator", client.SecretdKey(public)).Secret(within(t), "key")
	require.NoError(t, err)
	require.Equal(t, canary, value.Reveal())
	other, err := seal.MakeSigner()
	require.NoError(t, err)
	_, err = r.as(t, "generator", client.SecretdKey(other.Public())).Secret(within(t), "key")
	requireCode(t, events.CodeInternal, err)

	kv, err := r.Connect(t, "reader").KV(within(t), events.BucketSecrets)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		text, _, err := kv.Get(within(t), "signer")
		return err == nil && string(text) == public
	}, patience, 10*time.Millisecond)
	r.stop()
	require.NotContains(t, r.log.String(), string(seed))
	require.Contains(t, r.log.String(), public)

	made := startOn(t, r.Server, map[string]string{"SECRETD_ALLOW": "key", "KEY": canary})
	require.Eventually(t, func() bool { return strings.Contains(made.log.String(), "callers know secretd by another key") },
		patience, 10*time.Millisecond, "who knows the key refuses what one without it signs, which somebody has to be told")
	text, _, err := kv.Get(within(t), "signer")
	require.NoError(t, err)
	require.Equal(t, public, string(text), "who has no key of the operator takes nobody's place")
}

// TestAThousandAskAtOnce, and the store is asked once.
func TestAThousandAskAtOnce(t *testing.T) {
	t.Parallel()
	vault := newFake()
	vault.set("key", "1", canary)
	vault.gate = make(chan struct{})
	r := withRules(t, keyRules, nil, vault)
	c := r.as(t, "generator")
	const many = 1000
	errs := make(chan error, many)
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			value, err := c.Secret(within(t), "key")
			if err == nil && value.Reveal() != canary {
				err = errors.New("another value")
			}
			errs <- err
		})
	}
	require.Eventually(t, func() bool { return vault.asked() > 0 }, patience, time.Millisecond)
	close(vault.gate)
	all.Wait()
	for range many {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 1, vault.asked())
	require.Len(t, r.accesses(t, many), many)
}

// TestItsOwnKeysAreNotGivenOut, whatever the rules say about files.
func TestItsOwnKeysAreNotGivenOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair, err := nkeys.CreateUser()
	require.NoError(t, err)
	seed, err := pair.Seed()
	require.NoError(t, err)
	own, other, linked := filepath.Join(dir, "signing.nk"), filepath.Join(dir, "other"), filepath.Join(dir, "linked")
	bus, token, identity := filepath.Join(dir, "nats.nk"), filepath.Join(dir, "token"), filepath.Join(dir, "identity")
	require.NoError(t, os.WriteFile(own, seed, 0o600))
	for _, path := range []string{other, bus, token, identity} {
		require.NoError(t, os.WriteFile(path, []byte(canary), 0o600))
	}
	require.NoError(t, os.Link(own, linked))
	r := withRules(t, "policy: {generator: ['file:/*', 'env:*']}", map[string]string{
		"SECRETD_FILE_ROOTS": dir, "SECRETD_SIGNING_KEY_FILE": own, "MLSDM_TOKEN": canary,
		"NATS_NKEY": bus, "VAULT_TOKEN": "file:" + token, "AWS_WEB_IDENTITY_TOKEN_FILE": identity,
	})
	value, err := r.get(t, "generator", "file:"+other)
	require.NoError(t, err)
	require.Equal(t, canary, value.Reveal())
	for _, path := range []string{own, linked, bus, token, identity} {
		_, err = r.get(t, "generator", "file:"+path)
		requireCode(t, events.CodeUnauthenticated, err)
	}
	for _, name := range []string{"env:SECRETD_SIGNING_KEY_FILE", "env:MLSDM_TOKEN"} {
		_, err = r.get(t, "generator", name)
		requireCode(t, events.CodePermissionDenied, err)
	}
}

// TestSettingsDoNotShowKeys, not even wrong ones.
func TestSettingsDoNotShowKeys(t *testing.T) {
	t.Parallel()
	environment := map[string]string{
		"SECRETD_SIGNING_KEY": "SU" + canary, "SECRETD_AUDIT_KEY": canary, "VAULT_TOKEN": canary, "SECRETD_VAULT_SECRET_ID": canary,
	}
	var cfg secretd.Config
	var out bytes.Buffer
	done, err := config.Load(&cfg, config.Options{Name: "secretd", Lookup: lookup(environment), Args: []string{"--print-config"}, Out: &out})
	require.NoError(t, err)
	require.True(t, done)
	fmt.Fprintf(&out, "%v %+v %#v", cfg, &cfg, cfg)
	func() {
		defer func() { fmt.Fprint(&out, recover()) }()
		panic(cfg)
	}()
	for _, setting := range []string{"SECRETD_SIGNING_KEY", "SECRETD_AUDIT_KEY"} {
		cfg, err := load(map[string]string{setting: environment[setting]})
		require.NoError(t, err)
		err = tryNew(t, cfg)
		require.ErrorContains(t, err, "secretd-")
		fmt.Fprintln(&out, err)
	}
	for _, form := range forms() {
		require.NotContains(t, out.String(), form)
	}
}
