package secretd_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

// BenchmarkNames measures what a configured secret takes in memory, in bytes: its rule, and then its value of 64 bytes, known.
func BenchmarkNames(b *testing.B) {
	const many = 100_000
	var text strings.Builder
	text.WriteString("policy: {generator: ['*']}\nsecrets:\n")
	vault := newFake()
	for i := range many {
		fmt.Fprintf(&text, "  key_%06d: ['vault:mlsdm/key_%06d#value']\n", i, i)
	}
	vault.always(strings.Repeat("v", 64))
	file := filepath.Join(b.TempDir(), "rules.yaml")
	require.NoError(b, os.WriteFile(file, []byte(text.String()), 0o600))
	text.Reset()
	cfg, err := load(map[string]string{"SECRETD_CONFIG": file, "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "unused"})
	require.NoError(b, err)
	deps := service.Deps{Bus: bustest.Start(b).Connect(b, "secretd"), Logger: slog.New(slog.DiscardHandler), Health: health.NewChecks()}

	before := heap()
	s, err := secretd.NewWithLookup(cfg, deps, lookup(nil))
	require.NoError(b, err)
	s.Replace(vault)
	ruled := heap()
	for i := range many {
		require.NoError(b, s.Ask(b.Context(), fmt.Sprintf("key_%06d", i)))
	}
	known := heap()
	for b.Loop() {
		if err := s.Ask(b.Context(), "key_000001"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(ruled-before)/many, "B/rule")
	b.ReportMetric(float64(known-ruled)/many, "B/value")
}

// heap is what is in use, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
