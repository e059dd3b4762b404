package moral

import (
	"context"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// decision is one decision, for its event.
type decision struct {
	Subject
	verdict

	stage     string
	by        string // who scored
	text      string
	other     int // parts that are no text
	threshold float64
}

// decide decides by the score, takes the outcome into account and tells of it. An error is a rejection.
func (f *Filter) decide(ctx context.Context, d *decision) error {
	var accepted bool
	d.threshold, accepted = f.shared.decide(d.score)
	return f.tell(ctx, d, accepted)
}

// tell publishes a decision, and returns the error of a rejection.
func (f *Filter) tell(ctx context.Context, d *decision, accepted bool) error {
	f.metrics.threshold.Set(d.threshold)
	text := ""
	if f.cfg.IncludeText {
		text = shorten(d.text, maxEventText)
	}
	traced(ctx, d.stage, d.by, decisionOf(accepted))
	if accepted {
		f.metrics.decisions.WithLabelValues(d.stage, accepts).Inc()
		f.reports.Report(ctx, d.RequestID, events.MoralFilterAccept{
			RequestID: d.RequestID, Caller: d.Caller, Model: d.Model, Stage: d.stage, Score: d.score, Threshold: d.threshold,
			Reason: f.reason(d, "not below"), Categories: d.categories, Text: text,
		})
		return nil
	}
	f.metrics.decisions.WithLabelValues(d.stage, rejects).Inc()
	f.reports.Report(ctx, d.RequestID, events.MoralFilterReject{
		RequestID: d.RequestID, Caller: d.Caller, Model: d.Model, Stage: d.stage, Score: d.score, Threshold: d.threshold,
		Reason: f.reason(d, "below"), Categories: d.categories, Text: text,
	})
	return events.Errorf(events.CodeContentRejected, "the moral filter rejects the %s: its score %s is below the threshold %s",
		nameOf(d.stage), number(d.score), number(d.threshold))
}

// Bounds of what an event says, in bytes.
const (
	maxEventText   = 32 << 10
	maxEventReason = 500
)

// reason says why, for a person. The scorer's own words are among them only where texts may be: they may quote one.
func (f *Filter) reason(d *decision, relation string) string {
	reason := "the score " + number(d.score) + " (" + d.by + ") is " + relation + " the threshold " + number(d.threshold)
	if d.other > 0 {
		reason += "; parts that are no text, and were not judged: " + strconv.Itoa(d.other)
	}
	if f.cfg.IncludeText && d.reason != "" {
		reason += "; the scorer says: " + llm.Bound(d.reason, maxEventReason)
	}
	return reason
}

// nameOf is how a stage is called for people.
func nameOf(stage string) string {
	if stage == events.StageCompletion {
		return "answer"
	}
	return "prompt"
}

// number writes a score or a threshold with four digits, more than anybody needs to see which is larger.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// shorten cuts a text to at most n bytes.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:boundary(text, n)]
}
