package service

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/neuron7x/mlsdm-integrations/internal/version"
)

// NewRegistry returns a registry with what is told of any process: which build it is, what the operating system knows of it (CPU, memory,
// files, network) and what the Go runtime does. name is that of the service.
func NewRegistry(name string) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "mlsdm_build_info", Help: "Always 1; its labels say which build is running.",
		ConstLabels: prometheus.Labels{"service": name, "version": version.String()},
	})
	build.Set(1)
	// Beside the usual ones: what garbage collection costs, and what goroutines wait for.
	matter := regexp.MustCompile(`^/(gc/heap/live:bytes|gc/limiter/last-enabled:gc-cycle|cpu/classes/(gc/)?total:cpu-seconds|` +
		`sched/latencies:seconds|sched/goroutines/runnable:goroutines|sync/mutex/wait/total:seconds)$`)
	var errs []error
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: matter})),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
	} {
		errs = append(errs, registry.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return registry, nil
}
