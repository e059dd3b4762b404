package telemetry

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	prombridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/scrub"
)

// Signals, as a label of the metric of what is lost.
const (
	signalTraces  = "traces"
	signalMetrics = "metrics"
	signalLogs    = "logs"
)

// newDropped returns the metric of what is lost, with all its labels.
func newDropped() *prometheus.CounterVec {
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mlsdm_telemetry_dropped_total",
		Help: "Spans, records of the log and exports of metrics that no collector has taken: there was no room, or it does not work.",
	}, []string{"signal"})
	for _, signal := range []string{signalTraces, signalMetrics, signalLogs} {
		dropped.WithLabelValues(signal)
	}
	return dropped
}

// lose counts what is lost of a signal.
func (t *Telemetry) lose(signal string) func(n int) {
	counter := t.dropped.WithLabelValues(signal)
	return func(n int) { counter.Add(float64(n)) }
}

// Register registers the metrics of the telemetry itself: mlsdm_telemetry_dropped_total.
func (t *Telemetry) Register(r prometheus.Registerer) error {
	if err := r.Register(t.dropped); err != nil {
		return fmt.Errorf("metrics of the telemetry: %w", err)
	}
	return nil
}

// Metrics returns a gatherer of what g gathers, without what must not be told; it is what /metrics should show.
func (t *Telemetry) Metrics(g prometheus.Gatherer) prometheus.Gatherer {
	return scrub.Metrics(t.scrubber, g)
}

// ExportMetrics sends what g gathers to the collector from time to time (OTEL_METRIC_EXPORT_INTERVAL, a minute if not set) until
// [Telemetry.Close], if the operator wants that. It is called once at most.
func (t *Telemetry) ExportMetrics(ctx context.Context, g prometheus.Gatherer) error {
	if !t.config.sends(t.config.MetricsExporter) {
		return nil
	}
	to, err := t.config.targetOf(t.config.MetricsEndpoint, t.config.MetricsProtocol, "v1/metrics")
	if err != nil {
		return fmt.Errorf("otlp-metrics-endpoint: %w", err)
	}
	var exporter sdkmetric.Exporter
	if to.protocol == ProtocolGRPC {
		exporter, err = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpointURL(to.url))
	} else {
		exporter, err = otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(to.url), otlpmetrichttp.WithProxy(proxy))
	}
	if err != nil {
		return fmt.Errorf("metrics to %s: %w", to.url, err)
	}
	reader := sdkmetric.NewPeriodicReader(
		countedExporter{exporter, t.lose(signalMetrics)}, sdkmetric.WithTimeout(sendTimeout),
		sdkmetric.WithProducer(prombridge.NewMetricProducer(prombridge.WithGatherer(t.Metrics(g)))),
	)
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(t.resource))
	t.onClose(signalMetrics, provider.Shutdown)
	return nil
}

// countedExporter counts the exports that fail. Their errors reach the log through the SDK.
type countedExporter struct {
	sdkmetric.Exporter
	dropped func(n int)
}

// Export implements [sdkmetric.Exporter].
func (e countedExporter) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	err := e.Exporter.Export(ctx, m)
	if err != nil {
		e.dropped(1)
	}
	return err
}
