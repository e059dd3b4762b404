package cache

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/httpspan"
)

// slow is how long a visit to Redis may take that is worth no span: traces would else be full of what takes no time.
const slow = 10 * time.Millisecond

// spans makes spans of visits to Redis that were slow or failed, where they are a part of a trace, by OpenTelemetry's conventions
// (https://opentelemetry.io/docs/specs/semconv/db/redis/). They name commands, and neither keys nor values.
type spans struct {
	namespace string // the number of the database
	addr      string // empty where it is not known who is asked: of several
}

// DialHook implements [redis.Hook].
func (s spans) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements [redis.Hook].
func (s spans) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		if !trace.SpanFromContext(ctx).IsRecording() {
			return next(ctx, command)
		}
		began := time.Now()
		err := next(ctx, command)
		if failed := failureOf(err); failed != nil || time.Since(began) >= slow {
			s.tell(ctx, began, strings.ToUpper(command.Name()), 1, failed)
		}
		return err
	}
}

// ProcessPipelineHook implements [redis.Hook].
func (s spans) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		if !trace.SpanFromContext(ctx).IsRecording() {
			return next(ctx, commands)
		}
		began := time.Now()
		err := next(ctx, commands)
		failed := failureOf(err)
		for i := 0; failed == nil && i < len(commands); i++ {
			failed = failureOf(commands[i].Err())
		}
		if failed != nil || time.Since(began) >= slow {
			s.tell(ctx, began, pipelineOf(commands), len(commands), failed)
		}
		return err
	}
}

// tell makes the span of what began then and is over.
func (s spans) tell(ctx context.Context, began time.Time, operation string, size int, err error) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer("github.com/neuron7x/mlsdm-integrations/internal/cache")
	_, span := tracer.Start(ctx, operation+" "+s.namespace, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(began), trace.WithAttributes(
		attribute.String("db.system.name", "redis"), attribute.String("db.operation.name", operation), attribute.String("db.namespace", s.namespace),
	))
	defer span.End()
	if size > 1 {
		span.SetAttributes(attribute.Int("db.operation.batch.size", size))
	}
	if host, port, err := net.SplitHostPort(s.addr); err == nil {
		span.SetAttributes(attribute.String("server.address", host))
		if n, err := strconv.Atoi(port); err == nil {
			span.SetAttributes(attribute.Int("server.port", n))
		}
	}
	if err == nil {
		return
	}
	kind := httpspan.ErrorType(err)
	if code := codeOf(err); code != "" {
		kind = code
		span.SetAttributes(attribute.String("db.response.status_code", code))
	}
	span.SetAttributes(attribute.String("error.type", kind))
	span.SetStatus(codes.Error, "") // what Redis says may quote a key
}

// pipelineOf names what is sent together, as the conventions have it.
func pipelineOf(commands []redis.Cmder) string {
	const together = "PIPELINE"
	if len(commands) == 0 {
		return together
	}
	name := commands[0].Name()
	for _, command := range commands[1:] {
		if command.Name() != name {
			return together
		}
	}
	if len(commands) == 1 {
		return strings.ToUpper(name)
	}
	return together + " " + strings.ToUpper(name)
}

// failureOf returns an error that is more than the news that there is nothing.
func failureOf(err error) error {
	if err == nil || notThere(err) {
		return nil
	}
	return err
}

// codeOf returns the word with which an error of Redis begins, such as OOM or READONLY; nothing for an error that is not Redis's.
func codeOf(err error) string {
	if _, ok := err.(redis.Error); !ok { //nolint:errorlint // the client hands out what Redis says as it is
		return ""
	}
	const longest = 32
	word, _, _ := strings.Cut(err.Error(), " ")
	if word == "" || len(word) > longest || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	return word
}
