// Package conventions holds spans against the rules of OpenTelemetry's semantic conventions: those for messaging, GenAI, HTTP and
// databases, and what this project asks of every span. The tests of all services have their spans checked by it (see
// internal/bus/bustest), so that a span with a wrong name, a missing attribute or an id where there must be none is noticed where it
// is made.
//
// The rules are those of https://opentelemetry.io/docs/specs/semconv/ as of version 1.43, and of
// https://github.com/open-telemetry/semantic-conventions-genai.
package conventions
