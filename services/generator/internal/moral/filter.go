package moral

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/report"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Deps are what a filter uses.
type Deps struct {
	// Bus has the shared state, and takes the events.
	Bus *bus.Bus
	// HTTP asks the scorer; [llm.NewHTTPClient] makes one that fits.
	HTTP *http.Client
	// Source is that of the events, for example "/mlsdm/generator".
	Source string
	// Metrics may be nil.
	Metrics prometheus.Registerer
	Logger  *slog.Logger
}

// Subject is the request that a text belongs to.
type Subject struct {
	// RequestID and Caller may be empty.
	RequestID, Caller string
	// Model is what was asked for, as "provider/model" or an alias.
	Model string
}

// Filter is the moral filter of one replica. It is safe for concurrent use.
type Filter struct {
	cfg     Config
	bus     *bus.Bus
	log     *slog.Logger
	shared  *shared
	guard   *guard // nil: nobody is asked
	reports *report.Reporter
	metrics *metrics

	ready    chan struct{}
	becoming sync.Once
}

// New checks cfg and returns a filter, which says in the log if it is off. It asks nobody. It judges at once, and knows what others
// know when [Filter.Run] has read it.
func New(cfg Config, deps Deps) (*Filter, error) {
	if deps.Bus == nil || deps.HTTP == nil || deps.Logger == nil || deps.Source == "" {
		return nil, errors.New("moral: Bus, HTTP, Source and Logger must be set")
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	f := &Filter{
		cfg: cfg, bus: deps.Bus, log: deps.Logger, metrics: m, ready: make(chan struct{}),
		reports: report.New(deps.Bus, deps.Source, deps.Logger, m.reports),
		shared:  newShared(newPolicy(&cfg), deps.Logger, func(n int) { m.outcomes.Add(float64(n)) }),
	}
	if cfg.asks() {
		if f.guard, err = newGuard(&cfg.Scorer, deps.HTTP, deps.Logger); err != nil {
			return nil, err
		}
		f.guard.observe = func(took time.Duration, ok bool) {
			m.seconds.WithLabelValues(strconv.FormatBool(ok)).Observe(took.Seconds())
		}
	}
	switch {
	case cfg.isOff():
		f.becoming.Do(func() { close(f.ready) })
		f.log.Info("the moral filter is off", "enabled", string(cfg.Enabled), "scorer", string(cfg.Scorer.Kind))
	case f.guard == nil && cfg.Enabled == Auto:
		f.log.Info("the moral filter is off for requests without " + wholeField + ": there is no scorer (moral_filter.scorer)")
	}
	return f, nil
}

// Run shares the state with the other replicas and publishes events, until ctx ends; then it writes and publishes what is left, for
// some seconds, and returns nil. Let ctx end after the last request. An error means that the connection is closed for good.
func (f *Filter) Run(ctx context.Context) error {
	if f.cfg.isOff() {
		<-ctx.Done()
		return nil
	}
	var reporting sync.WaitGroup
	reporting.Go(func() { f.reports.Run(context.WithoutCancel(ctx)) })
	defer reporting.Wait()
	defer f.reports.Close()
	kv, err := f.open(ctx)
	if err != nil { // ctx has ended
		_, unknown := f.shared.state()
		f.shared.lost(unknown)
		return nil
	}
	return f.shared.run(ctx, kv, func() { f.becoming.Do(func() { close(f.ready) }) })
}

// open opens the bucket, as soon as that can be done. The error is that of ctx.
func (f *Filter) open(ctx context.Context) (bucket, error) {
	const pause = time.Second
	for said := false; ; said = true {
		kv, err := f.bus.KV(ctx, events.BucketMoral)
		if err == nil {
			return kv, nil
		}
		if !said && ctx.Err() == nil {
			f.log.WarnContext(ctx, "the state of the moral filter cannot be reached; it is not ready until it can", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Ready is closed when the stored state is known, or the filter is off. Who judges before that judges by the initial threshold.
func (f *Filter) Ready() <-chan struct{} { return f.ready }

// State returns the state as this replica knows it, the outcomes that it has not shared yet included.
func (f *Filter) State() State {
	s, _ := f.shared.state()
	return s
}

// JudgesOutput reports whether answers are judged.
func (f *Filter) JudgesOutput() bool { return f.cfg.Output && f.guard != nil }

// Prompt judges a request before any provider is asked. An error is an [events.Error]: content_rejected; invalid_argument for a
// metadata.moral_value that is none, or one that is missing though every request must have one, or too much text; unavailable if the
// scorer fails and what it cannot score is refused; that of ctx.
func (f *Filter) Prompt(ctx context.Context, s Subject, req *events.ChatRequest) error {
	if f.cfg.isOff() {
		return nil
	}
	score, given, err := requestScore(req)
	if err != nil {
		return err
	}
	d := decision{Subject: s, stage: events.StagePrompt, verdict: verdict{score: score}, by: wholeField}
	if given && f.cfg.TrustRequest {
		if f.cfg.IncludeText {
			d.text, d.other = promptText(req)
		}
		return f.decide(ctx, &d)
	}
	if f.guard == nil {
		if f.cfg.Enabled == On {
			return events.Errorf(events.CodeInvalidArgument, "%s is missing: every request must bring its score, a number of 0 to 1", wholeField)
		}
		f.unjudged(ctx, events.StagePrompt, noScore)
		return nil
	}
	d.by = string(f.cfg.Scorer.Kind)
	if d.text, d.other = promptText(req); strings.TrimSpace(d.text) == "" {
		f.unjudged(ctx, events.StagePrompt, noText)
		return nil
	}
	if len(d.text) > f.cfg.MaxText {
		return events.Errorf(events.CodeInvalidArgument, "the request has %d bytes of text; the moral filter judges at most %d", len(d.text), f.cfg.MaxText)
	}
	judged, err := f.ask(ctx, &d)
	if !judged {
		return err
	}
	return f.decide(ctx, &d)
}

// Completion judges a whole answer, if answers are judged. Errors are those of [Filter.Prompt].
func (f *Filter) Completion(ctx context.Context, s Subject, res *events.ChatResponse) error {
	if !f.JudgesOutput() {
		return nil
	}
	d := decision{Subject: s, stage: events.StageCompletion, by: string(f.cfg.Scorer.Kind), text: answerText(res)}
	judged, err := f.ask(ctx, &d)
	if !judged {
		return err
	}
	return f.decide(ctx, &d)
}

// ask has the text of a decision scored, unless that cannot be done: then it returns what becomes of it instead.
func (f *Filter) ask(ctx context.Context, d *decision) (judged bool, err error) {
	switch {
	case strings.TrimSpace(d.text) == "":
		f.unjudged(ctx, d.stage, noText)
		return false, nil
	case len(d.text) > f.cfg.MaxText:
		if f.cfg.OnScorerError == Accept {
			f.unjudged(ctx, d.stage, tooMuchText)
			return false, nil
		}
		return false, events.Errorf(events.CodeContentRejected,
			"the moral filter rejects the %s: it has %d bytes of text, of which at most %d are judged", nameOf(d.stage), len(d.text), f.cfg.MaxText)
	}
	d.verdict, err = f.guard.score(ctx, question{Subject: d.Subject, stage: d.stage, text: d.text})
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, events.AsError(context.Cause(ctx))
	case f.cfg.OnScorerError == Accept:
		f.unjudged(ctx, d.stage, noScorer)
		return false, nil
	default:
		return false, unscored(d.stage, err)
	}
}

// unscored is what a caller is told when the scorer fails: nothing of what it said, since that may be the text, and not as a cause
// either, which might be logged.
func unscored(stage string, err error) error {
	fault := llm.FaultOf(err)
	told := events.Errorf(events.CodeUnavailable, "the moral filter cannot judge the %s, since its scorer fails (%s); nothing passes unjudged",
		nameOf(stage), string(fault.Class))
	told.RetryAfter = fault.Err.RetryAfter
	return told
}

// unjudged takes note of what is not judged, and why.
func (f *Filter) unjudged(ctx context.Context, stage, reason string) {
	if reason != noScore { // there is nobody who scores, which is no news
		traced(ctx, stage, "", reason)
	}
	f.metrics.unjudged.WithLabelValues(stage, reason).Inc()
}
