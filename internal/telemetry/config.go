// Package telemetry makes the logger and the tracer of a process, and what sends traces, logs and metrics out of it.
//
// Nothing here may hold up the work of the process: what is to be sent waits in queues that are bounded, what finds no place or is
// not taken is dropped and counted, and while a collector does not work nothing is recorded for it. All that leaves goes through
// package scrub first.
package telemetry

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Formats of the log.
const (
	FormatAuto = "auto" // text for a person at a terminal, else JSON
	FormatText = "text"
	FormatJSON = "json"
)

// ProtocolGRPC is OTLP over gRPC; the other one is OTLP over HTTP.
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http/protobuf"
)

// Names of exporters.
const (
	exporterOTLP    = "otlp"
	exporterJaeger  = "jaeger" // OTLP by another name: Jaeger takes nothing else
	exporterConsole = "console"
	exporterNone    = "none"
)

// Config is what operators set. Without an exporter or an endpoint nothing leaves the process. The other variables that
// OpenTelemetry defines for its SDKs, such as OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_CERTIFICATE,
// apply too.
type Config struct {
	LogLevel  string `name:"log-level" env:"MLSDM_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"Least level that is logged: ${enum}."`
	LogFormat string `name:"log-format" env:"MLSDM_LOG_FORMAT" enum:"auto,text,json" default:"auto" help:"Format of the log on stderr: ${enum}; auto is text on a terminal, else json."`

	TracesExporter  string `name:"traces-exporter" env:"OTEL_TRACES_EXPORTER" placeholder:"NAME,..." help:"Where traces go: otlp, jaeger (otlp by another name), console (a tree on stderr), several of them with commas, or none; if empty, otlp with an endpoint, else none."`
	MetricsExporter string `name:"metrics-exporter" env:"OTEL_METRICS_EXPORTER" placeholder:"NAME" help:"Where metrics go besides /metrics: otlp or none; none if empty."`
	LogsExporter    string `name:"logs-exporter" env:"OTEL_LOGS_EXPORTER" placeholder:"NAME" help:"Where the log goes besides stderr: otlp or none; none if empty."`

	Endpoint        string `name:"otlp-endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" help:"Collector, for example http://127.0.0.1:4318; if empty, http://localhost:4318, or :4317 with grpc, for what an exporter is set."`
	TracesEndpoint  string `name:"otlp-traces-endpoint" env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" placeholder:"URL" help:"The same for traces alone, with its path; it wins over otlp-endpoint."`
	MetricsEndpoint string `name:"otlp-metrics-endpoint" env:"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT" placeholder:"URL" help:"The same for metrics alone."`
	LogsEndpoint    string `name:"otlp-logs-endpoint" env:"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT" placeholder:"URL" help:"The same for logs alone."`
	Protocol        string `name:"otlp-protocol" env:"OTEL_EXPORTER_OTLP_PROTOCOL" enum:"http/protobuf,grpc" default:"http/protobuf" help:"How to speak to the collector: ${enum}."`
	TracesProtocol  string `name:"otlp-traces-protocol" env:"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL" placeholder:"PROTOCOL" help:"The same for traces alone; it wins over otlp-protocol."`
	MetricsProtocol string `name:"otlp-metrics-protocol" env:"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL" placeholder:"PROTOCOL" help:"The same for metrics alone."`
	LogsProtocol    string `name:"otlp-logs-protocol" env:"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL" placeholder:"PROTOCOL" help:"The same for logs alone."`

	Sampler    string        `name:"traces-sampler" env:"OTEL_TRACES_SAMPLER" enum:"always_on,always_off,traceidratio,parentbased_always_on,parentbased_always_off,parentbased_traceidratio" default:"parentbased_always_on" help:"Which traces are kept: ${enum}. With a ratio, traces with errors and slow ones are kept too."`
	SamplerArg string        `name:"traces-sampler-arg" env:"OTEL_TRACES_SAMPLER_ARG" placeholder:"RATIO" help:"The ratio, 0 to 1; 1 if empty."`
	Slow       time.Duration `name:"traces-slow" env:"MLSDM_TRACES_SLOW" default:"5s" placeholder:"DURATION" help:"What is slow, where a ratio samples; 0s for nothing."`

	ServiceName string `name:"service-name" env:"OTEL_SERVICE_NAME" placeholder:"NAME" help:"The service's name in traces; mlsdm-SERVICE if empty."`
	Disabled    bool   `name:"otel-disabled" env:"OTEL_SDK_DISABLED" help:"Let no traces, metrics and logs leave the process, whatever else is set."`

	CaptureContent bool `name:"capture-content" env:"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" help:"Put what people and models write into the traces, without what looks like secrets and personal data."`
}

// Validate checks what one setting cannot say alone.
func (c Config) Validate() error {
	_, ratioErr := c.ratio()
	errs := []error{
		validateEndpoint("otlp-endpoint", c.Endpoint), validateEndpoint("otlp-traces-endpoint", c.TracesEndpoint),
		validateEndpoint("otlp-metrics-endpoint", c.MetricsEndpoint), validateEndpoint("otlp-logs-endpoint", c.LogsEndpoint),
		validateProtocol("otlp-traces-protocol", c.TracesProtocol), validateProtocol("otlp-metrics-protocol", c.MetricsProtocol),
		validateProtocol("otlp-logs-protocol", c.LogsProtocol),
		validateExporters("traces-exporter", c.TracesExporter, exporterOTLP, exporterJaeger, exporterConsole, exporterNone),
		validateExporters("metrics-exporter", c.MetricsExporter, exporterOTLP, exporterNone),
		validateExporters("logs-exporter", c.LogsExporter, exporterOTLP, exporterNone),
		ratioErr,
	}
	if c.Slow < 0 || c.Slow > time.Hour {
		errs = append(errs, fmt.Errorf("traces-slow is %s; it must be 0s to 1h", c.Slow))
	}
	return errors.Join(errs...)
}

func validateEndpoint(name, endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("%s: %q is not a URL like http://127.0.0.1:4318", name, endpoint)
	}
	return nil
}

func validateProtocol(name, protocol string) error {
	if protocol == "" || protocol == ProtocolGRPC || protocol == ProtocolHTTP {
		return nil
	}
	return fmt.Errorf("%s: %q is not %s, nor %s", name, protocol, ProtocolHTTP, ProtocolGRPC)
}

func validateExporters(name, list string, known ...string) error {
	for _, exporter := range exporters(list) {
		if !slices.Contains(known, exporter) {
			return fmt.Errorf("%s: %q is not one of %s", name, exporter, strings.Join(known, ", "))
		}
	}
	return nil
}

// exporters returns the names in a list of them.
func exporters(list string) []string {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// ratio returns the argument of the sampler.
func (c Config) ratio() (float64, error) {
	if c.SamplerArg == "" {
		return 1, nil
	}
	ratio, err := strconv.ParseFloat(c.SamplerArg, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		return 1, fmt.Errorf("traces-sampler-arg: %q is not a number from 0 to 1", c.SamplerArg)
	}
	return ratio, nil
}

// target is where one signal goes and how.
type target struct {
	url      string
	protocol string
}

// targetOf returns where a signal goes whose own settings are these; path is that of the signal below the endpoint of all.
func (c Config) targetOf(endpoint, protocol, path string) (target, error) {
	t := target{url: endpoint, protocol: protocol}
	if t.protocol == "" {
		t.protocol = c.Protocol
	}
	if t.url != "" {
		return t, nil
	}
	base := c.Endpoint
	if base == "" {
		base = "http://localhost:4318" // OpenTelemetry, OTLP exporter configuration
		if t.protocol == ProtocolGRPC {
			base = "http://localhost:4317"
		}
	}
	if t.protocol == ProtocolGRPC {
		t.url = base
		return t, nil
	}
	// The endpoint of all signals is a base: each signal has its own path below it (OpenTelemetry, OTLP exporter).
	var err error
	t.url, err = url.JoinPath(base, path)
	return t, err
}

// tracesTo returns the names of the exporters of traces, without repetitions.
func (c Config) tracesTo() []string {
	if c.Disabled {
		return nil
	}
	names := exporters(c.TracesExporter)
	if len(names) == 0 && (c.Endpoint != "" || c.TracesEndpoint != "") {
		return []string{exporterOTLP}
	}
	var to []string
	for _, name := range names {
		if name == exporterJaeger {
			name = exporterOTLP
		}
		if name != exporterNone && !slices.Contains(to, name) {
			to = append(to, name)
		}
	}
	return to
}

// sends reports whether a list of exporters has one that sends.
func (c Config) sends(list string) bool {
	return !c.Disabled && slices.Contains(exporters(list), exporterOTLP)
}
