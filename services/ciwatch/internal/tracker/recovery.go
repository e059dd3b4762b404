package tracker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// Actions whose result is a later attempt of the same run; that of all others is a newer run.
const (
	ActionRerun           = "rerun"
	ActionRerunFailedJobs = "rerun_failed_jobs"
	// ActionPublish only tells: somebody else may act.
	ActionPublish = "publish"
)

const (
	maxRecoveries = 20
	maxReason     = 120
	// patience is how long the result of a recovery is waited for.
	patience = 24 * time.Hour
	// skew is how far the forge's clock may be behind that of the one who asked.
	skew = time.Minute
)

// Recovery is one that was decided.
type Recovery struct {
	// ID names it. [State.Plan] makes it, unless it is there.
	ID string `json:"id"`
	// Action is what is done, Rule the name of the rule, Reason why it was decided or, when it failed, why that was.
	Action string `json:"action"`
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason,omitempty"`
	// State is planned, asked, worked, failed, refused or dry_run, as in pkg/events.
	State string `json:"state"`
	// RunID, RunAttempt and HeadSHA are of the run that is to be recovered. Number and StartedAt are filled in by [State.Plan].
	RunID      int64     `json:"run_id"`
	RunAttempt int       `json:"run_attempt"`
	HeadSHA    string    `json:"head_sha,omitempty"`
	Number     int       `json:"number"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	// Episode is the time of degraded health that it is for.
	Episode int `json:"episode,omitempty"`
	// At is when it was decided, AskedAt when it was asked for.
	At      time.Time `json:"at"`
	AskedAt time.Time `json:"asked_at,omitzero"`
	// Passed says that what it started has passed, which did not end the alarm by itself.
	Passed bool `json:"passed,omitempty"`
	// Dry says that it is only to be told what would be done.
	Dry bool `json:"dry,omitempty"`
}

// isOpen reports whether it is not known how it ends.
func (r Recovery) isOpen() bool {
	return r.State == events.CIRecoveryPlanned || r.State == events.CIRecoveryAsked
}

// wasAsked reports whether something was done.
func (r Recovery) wasAsked() bool {
	return r.State == events.CIRecoveryAsked || r.State == events.CIRecoveryWorked || r.State == events.CIRecoveryUseless
}

// reruns reports whether it starts a run again.
func (r Recovery) reruns() bool { return r.Action == ActionRerun || r.Action == ActionRerunFailedJobs }

// startedRun reports whether run is what the recovery started: a later attempt, or a newer run that was not there when it was asked.
func (r Recovery) startedRun(run forge.Run) bool {
	if r.reruns() {
		return run.ID == r.RunID && run.Attempt > r.RunAttempt
	}
	asked := r.AskedAt
	if asked.IsZero() {
		asked = r.At
	}
	return run.Number > r.Number && !run.CreatedAt.Before(asked.Add(-skew))
}

// Plan appends a recovery as planned. Its id is made of what it is, so that the same decision made twice is one: what is in the log already
// is not planned again.
func (s State) Plan(r Recovery) State {
	r.Action, r.Rule, r.Reason = plain(r.Action, maxWord), plain(r.Rule, maxWord), plain(r.Reason, maxReason)
	r.HeadSHA, r.At, r.AskedAt = plain(r.HeadSHA, maxWord), instant(r.At), time.Time{}
	r.State, r.Episode, r.Passed = events.CIRecoveryPlanned, s.Episode, false
	r.Number, r.StartedAt = 0, time.Time{}
	if i := s.indexOf(r.RunID); i >= 0 {
		r.Number, r.StartedAt = s.Runs[i].Number, s.Runs[i].startedAt()
	}
	if r.ID = plain(r.ID, maxWord); r.ID == "" {
		r.ID = DeriveID(r.StartedAt, "recovery", s.key(), strconv.Itoa(r.Episode), runKey(r.RunID, r.RunAttempt), r.Action)
	}
	if s.recoveryAt(r.ID) >= 0 {
		return s
	}
	s.Recoveries = append(slices.Clone(s.Recoveries), r)
	for len(s.Recoveries) > maxRecoveries {
		closed := slices.IndexFunc(s.Recoveries, func(r Recovery) bool { return !r.isOpen() })
		closed = max(closed, 0)
		s.Recoveries = slices.Delete(s.Recoveries, closed, closed+1)
	}
	return s
}

// Planned returns the oldest recovery that is planned and not yet asked for.
func (s State) Planned() (Recovery, bool) {
	for _, r := range s.Recoveries {
		if r.State == events.CIRecoveryPlanned {
			return r, true
		}
	}
	return Recovery{}, false
}

// LastRecovery returns the last recovery by which something was done.
func (s State) LastRecovery() (Recovery, bool) {
	for _, r := range slices.Backward(s.Recoveries) {
		if r.wasAsked() {
			return r, true
		}
	}
	return Recovery{}, false
}

// Asked marks a planned recovery as asked for. One that ended before, because what it started was quicker, stays as it is.
func (s State) Asked(id string, at time.Time) State {
	return s.withRecovery(id, func(r *Recovery) { r.State, r.AskedAt = events.CIRecoveryAsked, instant(at) })
}

// DryRun marks a planned recovery as one that was not done because the rule says so.
func (s State) DryRun(id string, at time.Time) State {
	return s.withRecovery(id, func(r *Recovery) { r.State, r.AskedAt = events.CIRecoveryDryRun, instant(at) })
}

// Refused marks a planned recovery as refused, and tells that it failed.
func (s State) Refused(id, why string, at time.Time) (State, []Event) {
	var out []Event
	s = s.withRecovery(id, func(r *Recovery) {
		r.State, r.Reason = events.CIRecoveryRefused, plain(why, maxReason)
		out = append(out, s.recoveryFailed(*r, s.recovered(*r), instant(at)))
	})
	return s, out
}

// withRecovery changes a planned recovery.
func (s State) withRecovery(id string, change func(r *Recovery)) State {
	i := s.recoveryAt(id)
	if i < 0 || s.Recoveries[i].State != events.CIRecoveryPlanned {
		return s
	}
	s.Recoveries = slices.Clone(s.Recoveries)
	change(&s.Recoveries[i])
	return s
}

// recoveryAt returns the place of a recovery, or -1.
func (s *State) recoveryAt(id string) int {
	return slices.IndexFunc(s.Recoveries, func(r Recovery) bool { return r.ID == id })
}

// Triggered returns the event that tells of a recovery of the log: that it is done or, in a dry run, would be.
func (s State) Triggered(id string, rules Rules) (Event, bool) {
	i := s.recoveryAt(id)
	if i < 0 {
		return Event{}, false
	}
	r := s.Recoveries[i]
	run := s.recovered(r)
	payload := events.SystemRecoveryTriggered{
		Trigger: events.TypeCIDegraded, Action: named(r.Action), Reason: r.Reason, Repository: s.Repository, Workflow: run.Workflow,
		Branch: run.Branch, RunID: max(r.RunID, 0), ConsecutiveFailures: s.ConsecutiveFailures(),
		CooldownSeconds: min(max(rules.Cooldown, 0), maxDuration).Seconds(), RecoveryID: r.ID, Rule: r.Rule,
		DryRun: r.State == events.CIRecoveryDryRun, Forge: s.Forge, RunAttempt: max(r.RunAttempt, 0), HeadSHA: r.HeadSHA, URL: run.URL,
	}
	return Event{ID: DeriveID(r.StartedAt, payload.EventType(), s.key(), r.ID), Time: r.At, Payload: payload, Trace: s.TraceOf(r)}, true
}

// TraceOf returns the trace context of what a recovery is for, as a traceparent; empty when that is not known.
func (s State) TraceOf(r Recovery) string {
	if s.Failed == nil || s.Failed.ID != r.RunID {
		return ""
	}
	return s.Failed.Trace
}

// closeRecoveries ends those whose result is in: healthy says that the alarm has ended with the attempt. Of one that is planned it is not known
// whether it was done, but for a run that was started again: that is told then, as nobody else will.
func (s *State) closeRecoveries(run forge.Run, result byte, healthy bool, rules Rules) []Event {
	var out []Event
	for i := range s.Recoveries {
		r := &s.Recoveries[i]
		if !r.isOpen() {
			continue
		}
		planned := r.State == events.CIRecoveryPlanned
		started := r.startedRun(run) && (!planned || r.reruns() && !r.Dry)
		r.Passed = r.Passed || started && result == passed
		switch {
		case started && result == failed:
			r.State, r.Reason = events.CIRecoveryUseless, fmt.Sprintf("run %d failed again, in attempt %d", run.ID, run.Attempt)
			out = append(out, s.overdue(*r, planned, rules)...)
			out = append(out, s.recoveryFailed(*r, s.ciRun(run), run.CompletedAt))
		case healthy && (!planned || r.Passed):
			r.State = events.CIRecoveryWorked
			out = append(out, s.overdue(*r, planned, rules)...)
		case healthy:
			r.State, r.Reason = events.CIRecoveryRefused, "all was green again before anything was asked"
		}
	}
	return out
}

// overdue tells of a recovery that was still planned when its result came.
func (s *State) overdue(r Recovery, planned bool, rules Rules) []Event {
	if event, ok := s.Triggered(r.ID, rules); ok && planned {
		return []Event{event}
	}
	return nil
}

// recoveryFailed tells that a recovery did not help.
func (s *State) recoveryFailed(r Recovery, run events.CIRun, at time.Time) Event {
	payload := events.CIRecoveryFailed{CIRun: run, RecoveryID: r.ID, Action: named(r.Action), Rule: r.Rule, Reason: named(r.Reason)}
	return Event{ID: DeriveID(r.StartedAt, payload.EventType(), s.key(), r.ID), Time: at, Payload: payload}
}

// recovered is the run that a recovery is for, as far as it is remembered.
func (s *State) recovered(r Recovery) events.CIRun {
	if s.Failed != nil && s.Failed.ID == r.RunID && s.Failed.Attempt == r.RunAttempt {
		return s.ciRun(*s.Failed)
	}
	run := forge.Run{
		ID: max(r.RunID, 1), Attempt: max(r.RunAttempt, 1), Number: r.Number, Conclusion: forge.Failure, HeadSHA: r.HeadSHA,
		StartedAt: r.StartedAt,
	}
	if s.Page != "" {
		run.URL = s.Page + strconv.FormatInt(run.ID, 10)
	}
	return s.ciRun(run)
}

// lastAsked returns the id of the last recovery of the alarm by which something was done; empty when there was none.
func (s *State) lastAsked() string {
	for _, r := range slices.Backward(s.Recoveries) {
		if r.Episode == s.Episode && r.wasAsked() {
			return r.ID
		}
	}
	return ""
}

// underWay returns the recovery of the alarm that was asked for and whose result is not in; nil when there is none. Of one that was only
// published, it is not known that anybody does anything.
func (s *State) underWay(now time.Time) *Recovery {
	for i, r := range slices.Backward(s.Recoveries) {
		if r.Episode == s.Episode && r.Action != ActionPublish && r.State == events.CIRecoveryAsked && !r.Passed && now.Sub(r.AskedAt) < patience {
			return &s.Recoveries[i]
		}
	}
	return nil
}

// plain returns s as one line, without what takes more room in JSON.
func plain(s string, limit int) string {
	return text(strings.NewReplacer(`"`, "'", `\`, "/", "\n", " ").Replace(s[:min(len(s), 4*limit)]), limit)
}
