package seal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
)

// BenchmarkSeal measures each half of a hand-over alone.
func BenchmarkSeal(b *testing.B) {
	for _, alg := range algs() {
		key, err := seal.NewAsker(alg)
		require.NoError(b, err)
		signer, err := seal.MakeSigner()
		require.NoError(b, err)
		content := seal.Content{Value: secret.NewValue(string(make([]byte, 256))), Source: "vault", Version: "7"}
		to, err := seal.Read(key.Request("name", false))
		require.NoError(b, err)
		reply, err := signer.Seal("checkout", "name", to, content)
		require.NoError(b, err)
		b.Run(alg+"/key", func(b *testing.B) {
			for b.Loop() {
				_, err = seal.NewAsker(alg)
			}
		})
		b.Run(alg+"/read", func(b *testing.B) {
			for b.Loop() {
				_, err = seal.Read(key.Request("name", false))
			}
		})
		b.Run(alg+"/seal", func(b *testing.B) {
			for b.Loop() {
				_, err = signer.Seal("checkout", "name", to, content)
			}
		})
		b.Run(alg+"/open", func(b *testing.B) {
			for b.Loop() {
				_, err = key.Open("checkout", "name", "", reply)
			}
		})
		b.Run(alg+"/verify-and-open", func(b *testing.B) {
			for b.Loop() {
				_, err = key.Open("checkout", "name", signer.Public(), reply)
			}
		})
		require.NoError(b, err)
	}
}
