package seal_test

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const canary = "sk-canary31337"

// algs are the ways to seal.
func algs() []string { return []string{events.SealXKey, events.SealHybrid} }

// newAsker makes a key that is wiped at the end.
func newAsker(t *testing.T, alg string) *seal.Asker {
	t.Helper()
	key, err := seal.NewAsker(alg)
	require.NoError(t, err)
	t.Cleanup(key.Wipe)
	return key
}

// newSigner makes a signer.
func newSigner(t *testing.T) *seal.Signer {
	t.Helper()
	signer, err := seal.MakeSigner()
	require.NoError(t, err)
	return signer
}

// answer seals the canary as the answer to a request of checkout.
func answer(t *testing.T, s *seal.Signer, req events.SecretRequest) events.SecretResponse {
	t.Helper()
	to, err := seal.Read(req)
	require.NoError(t, err)
	reply, err := s.Seal("checkout", req.Name, to, seal.Content{
		Value: secret.NewValue(canary), Source: "vault", Version: "7", FetchedAt: time.Date(2026, 11, 23, 10, 0, 0, 12345, time.UTC), Stale: true,
	})
	require.NoError(t, err)
	text, err := json.Marshal(reply) // as it crosses the bus
	require.NoError(t, err)
	require.NotContains(t, string(text), canary)
	var crossed events.SecretResponse
	require.NoError(t, json.Unmarshal(text, &crossed))
	return crossed
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	for _, alg := range append(algs(), "") {
		signer := newSigner(t)
		for _, text := range []string{"a value", canary, " \x00\xff<>&\n", strings.Repeat("long", 16<<10)} {
			key := newAsker(t, alg)
			req := key.Request("openai_api_key", true)
			require.True(t, req.NoCache)
			to, err := seal.Read(req)
			require.NoError(t, err)
			reply, err := signer.Seal("checkout", req.Name, to, seal.Content{Value: secret.NewValue(text), Source: "env"})
			require.NoError(t, err)
			for _, known := range []string{"", signer.Public()} {
				value, err := key.Open("checkout", "openai_api_key", known, reply)
				require.NoError(t, err)
				require.Equal(t, text, value.Reveal())
			}
			again, err := signer.Seal("checkout", req.Name, to, seal.Content{Value: secret.NewValue(text), Source: "env"})
			require.NoError(t, err)
			require.NotEqual(t, reply.SenderKey, again.SenderKey, "each has a sender of its own")
			require.NotEqual(t, reply.Sealed, again.Sealed)
			key.Wipe()
			_, err = key.Open("checkout", "openai_api_key", "", reply)
			require.Error(t, err, "a wiped key opens nothing")
		}
	}
}

// A reply that is not the answer to this request, of this secretd, does not open.
func TestRepliesThatDoNotOpen(t *testing.T) {
	t.Parallel()
	for _, alg := range algs() {
		signer, forger := newSigner(t), newSigner(t)
		key, other := newAsker(t, alg), newAsker(t, alg)
		req := key.Request("openai_api_key", false)
		foreign := answer(t, signer, other.Request("openai_api_key", false))
		for name, spoil := range map[string]func(r *events.SecretResponse){
			"another name":      func(r *events.SecretResponse) { r.Name = "github_token" },
			"another nonce":     func(r *events.SecretResponse) { r.Nonce = strings.Repeat("n", 26) },
			"another version":   func(r *events.SecretResponse) { r.Version = "8" },
			"no sender":         func(r *events.SecretResponse) { r.SenderKey = "" },
			"an endless sender": func(r *events.SecretResponse) { r.SenderKey = strings.Repeat("X", 10_000) },
			"another sender":    func(r *events.SecretResponse) { r.SenderKey = foreign.SenderKey },
			"tampered with":     func(r *events.SecretResponse) { r.Sealed[len(r.Sealed)-1] ^= 1 },
			"nothing sealed":    func(r *events.SecretResponse) { r.Sealed = nil },
			"in the clear":      func(r *events.SecretResponse) { r.Sealed = []byte(canary) },
			"to another key":    func(r *events.SecretResponse) { r.Sealed, r.SenderKey = foreign.Sealed, foreign.SenderKey },
			"an unknown alg":    func(r *events.SecretResponse) { r.Alg = "none" },
			"the other alg": func(r *events.SecretResponse) {
				r.Alg = map[string]string{events.SealXKey: events.SealHybrid, events.SealHybrid: events.SealXKey}[alg]
			},
		} {
			reply := answer(t, signer, req)
			spoil(&reply)
			for _, known := range []string{"", signer.Public()} {
				value, err := key.Open("checkout", "openai_api_key", known, reply)
				require.Error(t, err, name)
				require.True(t, value.IsZero(), name)
				require.NotContains(t, err.Error(), "canary", name)
			}
		}
		for name, spoil := range map[string]func(r *events.SecretResponse){ // what only the signature covers
			"another source":    func(r *events.SecretResponse) { r.Source = "env" },
			"another time":      func(r *events.SecretResponse) { r.FetchedAt = r.FetchedAt.Add(1) },
			"not stale":         func(r *events.SecretResponse) { r.Stale = false },
			"another signature": func(r *events.SecretResponse) { r.Signature[0] ^= 1 },
			"no signature":      func(r *events.SecretResponse) { r.Signature = nil },
			"no signer":         func(r *events.SecretResponse) { r.SignerKey = "" },
			"of a forger":       func(r *events.SecretResponse) { *r = answer(t, forger, req) },
			"in a false name": func(r *events.SecretResponse) {
				*r = answer(t, forger, req)
				r.SignerKey = signer.Public()
			},
		} {
			reply := answer(t, signer, req)
			spoil(&reply)
			_, err := key.Open("checkout", "openai_api_key", signer.Public(), reply)
			require.ErrorIs(t, err, seal.ErrReply, name)
		}
		_, err := key.Open("embedder", "openai_api_key", signer.Public(), answer(t, signer, req))
		require.ErrorIs(t, err, seal.ErrReply, "what one caller got is no answer to another")
		_, err = key.Open("checkout", "openai_api_key", "no key", answer(t, signer, req))
		require.ErrorIs(t, err, seal.ErrReply)
		_, err = key.Open("checkout", "openai_api_key", signer.Public(), answer(t, signer, req))
		require.NoError(t, err)
	}
}

// With HPKE the context is part of the key: not even the right recipient opens what is said to be of another request.
func TestTheHybridIsBoundToItsContext(t *testing.T) {
	t.Parallel()
	key := newAsker(t, events.SealHybrid)
	_, err := key.Open("embedder", "openai_api_key", "", answer(t, newSigner(t), key.Request("openai_api_key", false)))
	require.ErrorIs(t, err, seal.ErrReply)
}

func TestValuesThatAreToldOnce(t *testing.T) {
	t.Parallel()
	key, err := seal.NewKey()
	require.NoError(t, err)
	stranger, err := seal.NewKey()
	require.NoError(t, err)
	sealed, sender, err := seal.Seal(secret.NewValue(canary), key.Public())
	require.NoError(t, err)
	require.NotContains(t, string(sealed), canary)
	value, err := key.Open(sealed, sender)
	require.NoError(t, err)
	require.Equal(t, canary, value.Reveal())
	for name, open := range map[string]func() (secret.Value, error){
		"who is not meant":  func() (secret.Value, error) { return stranger.Open(sealed, sender) },
		"another sender":    func() (secret.Value, error) { return key.Open(sealed, stranger.Public()) },
		"no sender":         func() (secret.Value, error) { return key.Open(sealed, "") },
		"an endless sender": func() (secret.Value, error) { return key.Open(sealed, strings.Repeat("X", 1<<16)) },
		"less than a seal":  func() (secret.Value, error) { return key.Open(sealed[:20], sender) },
		"nothing":           func() (secret.Value, error) { return key.Open(nil, sender) },
		"in the clear":      func() (secret.Value, error) { return key.Open([]byte(canary), sender) },
	} {
		value, err := open()
		require.Error(t, err, name)
		require.True(t, value.IsZero(), name)
	}
	key.Wipe()
	_, err = key.Open(sealed, sender)
	require.Error(t, err, "a wiped key opens nothing")
	_, _, err = seal.Seal(secret.NewValue(canary), "X")
	require.ErrorIs(t, err, seal.ErrKey)
	require.ErrorIs(t, seal.CheckKey(""), seal.ErrKey)
}

func TestRequestsThatCannotBeAnswered(t *testing.T) {
	t.Parallel()
	good := newAsker(t, events.SealXKey).Request("name", false)
	hybrid := newAsker(t, events.SealHybrid).Request("name", false)
	user, err := nkeys.CreateUser()
	require.NoError(t, err)
	userKey, err := user.PublicKey()
	require.NoError(t, err)
	seed, err := user.Seed()
	require.NoError(t, err)
	requests := map[string]func(*events.SecretRequest){
		"no nonce":         func(r *events.SecretRequest) { r.Nonce = "" },
		"a short nonce":    func(r *events.SecretRequest) { r.Nonce = strings.Repeat("x", events.MinNonce-1) },
		"a long nonce":     func(r *events.SecretRequest) { r.Nonce = strings.Repeat("x", events.MaxNonce+1) },
		"a blank in it":    func(r *events.SecretRequest) { r.Nonce = strings.Repeat("x ", 8) },
		"a line in it":     func(r *events.SecretRequest) { r.Nonce = strings.Repeat("x\n", 8) },
		"not ASCII":        func(r *events.SecretRequest) { r.Nonce = strings.Repeat("é", 10) },
		"an unknown alg":   func(r *events.SecretRequest) { r.Alg = "plain" },
		"the other's key":  func(r *events.SecretRequest) { r.RecipientKey = hybrid.RecipientKey },
		"the other's alg":  func(r *events.SecretRequest) { r.Alg = events.SealHybrid },
		"half a hybrid":    func(r *events.SecretRequest) { *r = hybrid; r.RecipientKey = r.RecipientKey[:800] },
		"no base64":        func(r *events.SecretRequest) { *r = hybrid; r.RecipientKey = "!" + r.RecipientKey[1:] },
		"an endless one":   func(r *events.SecretRequest) { *r = hybrid; r.RecipientKey = strings.Repeat("A", 1<<16) },
		"a hybrid of ones": func(r *events.SecretRequest) { *r = hybrid; r.RecipientKey = strings.Repeat("/", 1624) },
	}
	for name, public := range map[string]string{
		"none": "", "short": good.RecipientKey[:20], "long": good.RecipientKey + good.RecipientKey, "very long": strings.Repeat("X", 1<<16),
		"changed":   good.RecipientKey[:20] + strings.Map(func(r rune) rune { return 'A' + (r-'A'+1)%26 }, good.RecipientKey[20:21]) + good.RecipientKey[21:],
		"of a user": userKey, "a seed": string(seed), "not base32": "X!" + good.RecipientKey[2:], "lower case": strings.ToLower(good.RecipientKey),
	} {
		requests["a key: "+name] = func(r *events.SecretRequest) { r.RecipientKey = public }
	}
	for name, spoil := range requests {
		req := good
		spoil(&req)
		_, err := seal.Read(req)
		require.Error(t, err, name)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), name)
	}
	for _, req := range []events.SecretRequest{good, hybrid} {
		_, err := seal.Read(req)
		require.NoError(t, err)
	}
}

func TestPointsOfLowOrder(t *testing.T) {
	t.Parallel()
	key := newAsker(t, "")
	signer := newSigner(t)
	// Zero, one, two of order eight, and -1, 0 and 1 as they can also be written (https://cr.yp.to/ecdh.html#validate).
	for _, point := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		for _, highest := range []byte{0, 0x80} {
			raw, err := hex.DecodeString(point)
			require.NoError(t, err)
			raw[31] |= highest
			encoded, err := nkeys.Encode(nkeys.PrefixByteCurve, raw)
			require.NoError(t, err)
			req := key.Request("name", false)
			req.RecipientKey = string(encoded)
			_, err = seal.Read(req)
			require.ErrorIs(t, err, seal.ErrKey, point)
			reply := answer(t, signer, key.Request("name", false))
			reply.SenderKey = string(encoded)
			_, err = key.Open("checkout", "name", "", reply)
			require.ErrorIs(t, err, seal.ErrKey, point)
		}
	}
}

func TestSigners(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateUser()
	require.NoError(t, err)
	seed, err := pair.Seed()
	require.NoError(t, err)
	public, err := pair.PublicKey()
	require.NoError(t, err)
	signer, err := seal.NewSigner(secret.NewValue(string(seed)))
	require.NoError(t, err)
	require.Equal(t, public, signer.Public())
	key := newAsker(t, "")
	req := key.Request("name", false)
	reply := answer(t, signer, req)
	require.NoError(t, pair.Verify(events.SignedSecret("checkout", req.RecipientKey, reply), reply.Signature), "an nkey's signature as any other")

	account, err := nkeys.CreateAccount()
	require.NoError(t, err)
	foreign, err := account.Seed()
	require.NoError(t, err)
	for _, text := range []string{"", "SU", canary, string(seed[:20]), public, string(foreign), strings.Repeat("S", 1<<16)} {
		_, err := seal.NewSigner(secret.NewValue(text))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
	}
	_, err = seal.NewAsker("plain")
	require.Error(t, err)
}
