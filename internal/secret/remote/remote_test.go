package remote_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// office is a bus with a keeper of secrets.
type office struct {
	*bustest.Server

	keeper *keeper
	log    *log
	stop   func()
}

func open(t *testing.T, options ...bustest.Option) *office {
	t.Helper()
	o := &office{Server: bustest.Start(t, options...), keeper: newKeeper(t, map[string]string{"key": canary}), log: &log{}}
	o.stop = o.keeper.serve(t, o.Connect(t, "secretd"))
	listening(t, o.Server)
	return o
}

func (o *office) client(t *testing.T, options ...remote.Option) *remote.Client {
	t.Helper()
	c, err := remote.New(o.Connect(t, "generator"), "generator", append(options, remote.Logger(o.log.logger()))...)
	require.NoError(t, err)
	return c
}

// publish writes the public key of secretd where it publishes it.
func (o *office) publish(t *testing.T, key string) {
	t.Helper()
	kv, err := o.Connect(t, "secretd").KV(t.Context(), events.BucketSecrets)
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), remote.SignerKey, []byte(key))
	require.NoError(t, err)
}

func TestAsk(t *testing.T) {
	t.Parallel()
	o := open(t)
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	o.keeper.set(func(k *keeper) {
		stale := answer("from vault", "7")
		stale.FetchedAt, stale.Stale = at, true
		k.values["vault:mlsdm/openai#api_key@7"] = stale
		k.values["empty"] = answer("", "1")
		k.values["text"] = answer("пароль\n", "")
		k.values["largest"] = answer(strings.Repeat("x", secret.MaxValue), "")
		k.values["huge"] = answer(strings.Repeat("x", secret.MaxValue+1), "")
	})
	c := o.client(t)
	got, err := c.Ask(within(t), remote.Question{Name: "vault:mlsdm/openai#api_key@7", NoCache: true})
	require.NoError(t, err)
	require.Equal(t, "from vault", got.Value.Reveal())
	require.Equal(t, []any{"vault", "7", true}, []any{got.Source, got.Version, got.Stale})
	require.True(t, at.Equal(got.FetchedAt))
	require.Equal(t, []remote.Question{{Name: "vault:mlsdm/openai#api_key@7", NoCache: true}}, o.keeper.questions())

	for text, want := range map[string]string{"key": canary, "text": "пароль\n", "largest": strings.Repeat("x", secret.MaxValue)} {
		name, err := secret.ParseName(text)
		require.NoError(t, err)
		entry, err := c.Get(within(t), name)
		require.NoError(t, err)
		require.Equal(t, want, entry.Value.Reveal())
	}
	_, err = c.Ask(within(t), remote.Question{Name: "empty"})
	require.ErrorIs(t, err, secret.ErrNotFound)
	_, err = c.Ask(within(t), remote.Question{Name: "huge"})
	require.ErrorIs(t, err, secret.ErrUnusable)
	_, err = remote.New(o.Connect(t, "x"), "a.b")
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
}

func TestWhatSecretdSays(t *testing.T) {
	t.Parallel()
	o := open(t)
	c := o.client(t)
	for code, want := range map[events.Code]error{
		events.CodeNotFound: secret.ErrNotFound, events.CodePermissionDenied: secret.ErrDenied, events.CodeUnauthenticated: secret.ErrDenied,
		events.CodeUnavailable: secret.ErrUnavailable, events.CodeRateLimited: secret.ErrUnavailable,
		events.CodeDeadlineExceeded: secret.ErrUnavailable, events.CodeFailedPrecondition: secret.ErrUnusable,
	} {
		o.keeper.set(func(k *keeper) { k.err = events.Errorf(code, "as told") })
		_, err := c.Ask(within(t), remote.Question{Name: "key"})
		require.ErrorIs(t, err, want, code)
		require.ErrorContains(t, err, "as told")
	}
	o.stop()
	_, err := c.Ask(within(t), remote.Question{Name: "key"})
	require.ErrorIs(t, err, secret.ErrUnavailable, "nobody is there")
}

// Whom the client believes.
func TestSigner(t *testing.T) {
	t.Parallel()
	another, err := seal.MakeSigner()
	require.NoError(t, err)
	ask := func(t *testing.T, c *remote.Client) error {
		t.Helper()
		got, err := c.Ask(within(t), remote.Question{Name: "key"})
		if err != nil {
			require.NotContains(t, err.Error(), canary)
			require.ErrorIs(t, err, remote.ErrReply)
			for _, said := range []error{secret.ErrNotFound, secret.ErrDenied, secret.ErrGone} {
				require.NotErrorIs(t, err, said, "a forger must not be able to take a secret away")
			}
			return err
		}
		require.Equal(t, canary, got.Value.Reveal())
		return nil
	}
	const warning = "MLSDM_SECRETD_KEY"

	t.Run("named by configuration", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		o.publish(t, another.Public()) // which does not matter then
		require.NoError(t, ask(t, o.client(t, remote.Signer(o.keeper.signer.Public()))))
		require.Error(t, ask(t, o.client(t, remote.Signer(another.Public()))))
		require.NotContains(t, o.log.String(), warning)
	})
	t.Run("published", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		o.publish(t, o.keeper.signer.Public()+"\n")
		c := o.client(t)
		require.NoError(t, ask(t, c))
		require.NoError(t, ask(t, c))
		require.NotContains(t, o.log.String(), warning)
	})
	t.Run("published by another", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		o.publish(t, another.Public())
		require.Error(t, ask(t, o.client(t)))
	})
	t.Run("unknown", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		c := o.client(t)
		require.NoError(t, ask(t, c))
		require.NoError(t, ask(t, c))
		require.Equal(t, 1, strings.Count(o.log.String(), warning), "it is said once")
	})
	t.Run("nonsense is published, or no bucket is there", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		o.publish(t, "U"+canary)
		require.NoError(t, ask(t, o.client(t)))
		require.Contains(t, o.log.String(), warning)
		require.NotContains(t, o.log.String(), canary)
		bare := open(t, bustest.Bare())
		require.NoError(t, ask(t, bare.client(t)))
		require.Contains(t, bare.log.String(), warning)
	})
}

// A secretd that has a new key publishes it, and is believed when the pause between two looks is over.
func TestSignerChanges(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.publish(t, o.keeper.signer.Public())
	c := o.client(t)
	_, err := c.Ask(within(t), remote.Question{Name: "key"})
	require.NoError(t, err)
	next, err := seal.MakeSigner()
	require.NoError(t, err)
	o.keeper.set(func(k *keeper) { k.signer = next })
	o.publish(t, next.Public())
	require.Eventually(t, func() bool {
		_, err := c.Ask(within(t), remote.Question{Name: "key"})
		return err == nil
	}, patience, 50*time.Millisecond)
}

// A reply that is not the answer to the question opens nothing.
func TestReplies(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.publish(t, o.keeper.signer.Public())
	c := o.client(t)
	var recorded events.SecretResponse
	o.keeper.set(func(k *keeper) { k.distort = func(r *events.SecretResponse) { recorded = *r } })
	_, err := c.Ask(within(t), remote.Question{Name: "key"})
	require.NoError(t, err)
	for name, distort := range map[string]func(*events.SecretResponse){
		"replayed":            func(r *events.SecretResponse) { *r = recorded },
		"of another name":     func(r *events.SecretResponse) { r.Name = "other" },
		"of another nonce":    func(r *events.SecretResponse) { r.Nonce = recorded.Nonce },
		"of another version":  func(r *events.SecretResponse) { r.Version = "9" },
		"of another source":   func(r *events.SecretResponse) { r.Source = "env" },
		"stale":               func(r *events.SecretResponse) { r.Stale = true },
		"sealed otherwise":    func(r *events.SecretResponse) { r.Alg = events.SealHybrid },
		"changed":             func(r *events.SecretResponse) { r.Sealed[0] ^= 1 },
		"another's seal":      func(r *events.SecretResponse) { r.Sealed, r.SenderKey = recorded.Sealed, recorded.SenderKey },
		"unsigned":            func(r *events.SecretResponse) { r.Signature = nil },
		"signed by nobody":    func(r *events.SecretResponse) { r.SignerKey, r.Signature = "", nil },
		"signed for another":  func(r *events.SecretResponse) { r.Signature = recorded.Signature },
		"empty":               func(r *events.SecretResponse) { *r = events.SecretResponse{} },
		"with a foolish key":  func(r *events.SecretResponse) { r.SenderKey = strings.Repeat("X", 1<<16) },
		"with a foolish name": func(r *events.SecretResponse) { r.SignerKey = strings.Repeat("U", 1<<16) },
	} {
		o.keeper.set(func(k *keeper) { k.distort = distort })
		_, err := c.Ask(within(t), remote.Question{Name: "key"})
		require.ErrorIs(t, err, remote.ErrReply, name)
		require.NotContains(t, err.Error(), canary, name)
		require.False(t, errors.Is(err, secret.ErrNotFound) || errors.Is(err, secret.ErrDenied), name)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	signer, err := seal.MakeSigner()
	require.NoError(t, err)
	require.NoError(t, remote.Config{Refresh: time.Minute}.Validate())
	require.NoError(t, remote.Config{Refresh: time.Minute, Signer: signer.Public()}.Validate())
	for complaint, c := range map[string]remote.Config{
		"secret-refresh is 0s":      {},
		"secret-refresh is 25h0m0s": {Refresh: 25 * time.Hour},
		"secretd-key":               {Refresh: time.Minute, Signer: "SUA" + canary},
		"no public nkey":            {Refresh: time.Minute, Signer: strings.Repeat("U", 1<<16)},
	} {
		err := c.Validate()
		require.ErrorContains(t, err, complaint)
		require.NotContains(t, err.Error(), canary)
	}
}
