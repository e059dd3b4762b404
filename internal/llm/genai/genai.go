// Package genai records attempts at models by OpenTelemetry's conventions for generative AI
// (https://github.com/open-telemetry/semantic-conventions-genai): one span an attempt, and the client metrics.
//
// A span is called by its operation and the model's own name, "chat gpt-4o", and ends when the answer is there, with a stream when the
// stream ends. It is a client span, or an internal one of a model in this process. Retries and other targets are spans of their own below
// the same parent, with a number (mlsdm.attempt) and the reason for which they were made (mlsdm.attempt.why). What failed has error.type:
// the class of the fault (llm.Class), but that an attempt which was ended from outside is told apart: canceled, deadline_exceeded (the
// caller's, where timeout is the server's) and content_rejected (by our own filter, where content is the provider's).
//
// What people and models write is recorded only if [Config.Content] says so, and stop sequences are among that.
package genai

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Config is what a recorder records, and where.
type Config struct {
	// Tracer makes the spans. With nil, or one that does nothing, none are made, and none cost anything.
	Tracer trace.TracerProvider
	// Content has what is written to models, and by them, in the spans.
	Content bool
	// Metrics takes the metrics. With nil nothing is counted.
	Metrics prometheus.Registerer
}

// Recorder records attempts. It is safe for concurrent use. A nil one records nothing.
type Recorder struct {
	tracer  trace.Tracer // nil: there is nobody who looks at spans
	content bool
	metrics *metrics  // nil: nobody counts
	lists   sync.Pool // of *[]attribute.KeyValue: what is said of an attempt is put together there
}

// New makes a recorder and registers its metrics, which can be done once with each registerer.
func New(cfg Config) (*Recorder, error) {
	r := &Recorder{content: cfg.Content}
	if _, none := cfg.Tracer.(noop.TracerProvider); cfg.Tracer != nil && !none {
		r.tracer = cfg.Tracer.Tracer("github.com/neuron7x/mlsdm-integrations/internal/llm/genai")
	}
	if cfg.Metrics == nil {
		return r, nil
	}
	var err error
	r.metrics, err = newMetrics(cfg.Metrics)
	return r, err
}

// Why says why an attempt was made.
type Why string

// Reasons for attempts.
const (
	// First is the first of a request.
	First Why = "first"
	// Retry follows one at the same model with the same key.
	Retry Why = "retry"
	// NextKey follows one at the same model with another key.
	NextKey Why = "next_key"
	// Fallback follows one at another model.
	Fallback Why = "fallback"
	// Part is for some of the texts of a call that has failed as a whole.
	Part Why = "part"
)

// Names of operations in the conventions.
const (
	chat       = "chat"
	embeddings = "embeddings"
)

// About is what there is to be known of an attempt before it begins, whatever it asks for.
type About struct {
	// Target is who is asked.
	Target *Target
	// Name is how the model is called here, "provider/model", and Model the provider's own name of it.
	Name, Model string
	// Key is the name of the key; empty without one. It is not recorded.
	Key string
	// Number counts the attempts of a request from 1, and Place says which of the targets that could be asked this is, from 1.
	Number, Place int
	// Why says why it is made.
	Why Why
	// Began is when it began.
	Began time.Time
}
