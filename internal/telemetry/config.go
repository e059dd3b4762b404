// Package telemetry makes the logger and the tracer of a process.
package telemetry

import (
	"errors"
	"fmt"
	"net/url"
)

// Formats of the log.
const (
	FormatAuto = "auto" // text for a person at a terminal, else JSON
	FormatText = "text"
	FormatJSON = "json"
)

// ProtocolGRPC is OTLP over gRPC; the other one is OTLP over HTTP.
const ProtocolGRPC = "grpc"

// Config is what operators set. Without an endpoint nothing is traced. The variables that OpenTelemetry defines for its
// SDKs, such as OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS, apply too.
type Config struct {
	LogLevel  string `name:"log-level" env:"MLSDM_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"Least level that is logged: ${enum}."`
	LogFormat string `name:"log-format" env:"MLSDM_LOG_FORMAT" enum:"auto,text,json" default:"auto" help:"Format of the log on stderr: ${enum}; auto is text on a terminal, else json."`

	Endpoint       string `name:"otlp-endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" help:"Collector that traces go to, for example http://127.0.0.1:4318; nothing is traced without one."`
	TracesEndpoint string `name:"otlp-traces-endpoint" env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" placeholder:"URL" help:"The same for traces alone, with its path; it wins over otlp-endpoint."`
	Protocol       string `name:"otlp-protocol" env:"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,OTEL_EXPORTER_OTLP_PROTOCOL" enum:"http/protobuf,grpc" default:"http/protobuf" help:"How to speak to the collector: ${enum}."`

	CaptureContent bool `name:"capture-content" env:"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" help:"Put what people and models write into the traces, without what looks like secrets and personal data."`
}

// Validate checks the addresses; the rest is checked where it is read.
func (c Config) Validate() error {
	return errors.Join(validateEndpoint("otlp-endpoint", c.Endpoint), validateEndpoint("otlp-traces-endpoint", c.TracesEndpoint))
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

// target returns where traces go; empty is nowhere.
func (c Config) target() (string, error) {
	switch {
	case c.TracesEndpoint != "":
		return c.TracesEndpoint, nil
	case c.Endpoint == "" || c.Protocol == ProtocolGRPC:
		return c.Endpoint, nil
	default:
		// The endpoint of all signals is a base: each signal has its own path below it (OpenTelemetry, OTLP exporter).
		return url.JoinPath(c.Endpoint, "v1/traces")
	}
}
