package seal_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
)

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	key, err := seal.NewKey()
	require.NoError(t, err)
	for _, text := range []string{"a value", "sk-canary", strings.Repeat("long", 16<<10)} {
		sealed, sender, err := seal.Seal(secret.NewValue(text), key.Public())
		require.NoError(t, err)
		require.NotContains(t, string(sealed), text)
		value, err := key.Open(sealed, sender)
		require.NoError(t, err)
		require.Equal(t, text, value.Reveal())

		again, other, err := seal.Seal(secret.NewValue(text), key.Public())
		require.NoError(t, err)
		require.NotEqual(t, sender, other, "each has a sender of its own")
		require.NotEqual(t, sealed, again)
		_, err = key.Open(sealed, other)
		require.Error(t, err)
		sealed[len(sealed)-1] ^= 1
		_, err = key.Open(sealed, sender)
		require.Error(t, err)
	}

	stranger, err := seal.NewKey()
	require.NoError(t, err)
	sealed, sender, err := seal.Seal(secret.NewValue("sk-canary"), key.Public())
	require.NoError(t, err)
	_, err = stranger.Open(sealed, sender)
	require.Error(t, err)
	key.Wipe()
	_, err = key.Open(sealed, sender)
	require.Error(t, err, "a wiped key opens nothing")
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	key, err := seal.NewKey()
	require.NoError(t, err)
	user, err := nkeys.CreateUser()
	require.NoError(t, err)
	userKey, err := user.PublicKey()
	require.NoError(t, err)
	seed, err := user.Seed()
	require.NoError(t, err)
	keys := map[string]string{
		"none": "", "short": key.Public()[:20], "long": key.Public() + key.Public(), "very long": strings.Repeat("X", 1<<16),
		"changed": strings.Replace(key.Public(), key.Public()[10:12], "AB", 1) + "A", "of a user": userKey, "a seed": string(seed),
		"not base32": "X!" + key.Public()[2:], "lower case": strings.ToLower(key.Public()),
	}
	// The points of low order: zero, one, two of order eight, and -1 (https://cr.yp.to/ecdh.html).
	for _, point := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		raw, err := hex.DecodeString(point)
		require.NoError(t, err)
		encoded, err := nkeys.Encode(nkeys.PrefixByteCurve, raw)
		require.NoError(t, err)
		keys["of low order "+point[:4]] = string(encoded)
	}
	for name, public := range keys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sealed, _, err := seal.Seal(secret.NewValue("sk-canary"), public)
			require.ErrorIs(t, err, seal.ErrKey)
			require.Nil(t, sealed)
			_, err = key.Open([]byte(strings.Repeat("x", 100)), public)
			require.ErrorIs(t, err, seal.ErrKey)
		})
	}
}
