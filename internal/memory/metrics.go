package memory

import (
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// gauges are what the metrics show of the last look.
type gauges struct{ used, limit, level atomic.Int64 }

// Register registers the metrics of the watch. Without a limit there are none.
func (w *Watcher) Register(reg prometheus.Registerer) error {
	if w.limit.bytes == 0 {
		return nil
	}
	for _, g := range []struct {
		name, help string
		value      *atomic.Int64
	}{
		{"mlsdm_memory_used_bytes", "Memory in use, as it is compared with the limit.", &w.gauges.used},
		{"mlsdm_memory_limit_bytes", "Memory that the process may use.", &w.gauges.limit},
		{"mlsdm_memory_level", "How near the use is to the limit: 0 normal, 1 warning, 2 critical.", &w.gauges.level},
	} {
		gauge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, func() float64 { return float64(g.value.Load()) })
		if err := reg.Register(gauge); err != nil {
			return fmt.Errorf("memory metrics: %w", err)
		}
	}
	return nil
}
