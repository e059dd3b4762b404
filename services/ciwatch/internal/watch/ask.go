package watch

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

const (
	// maxChecks bounds the repositories that are polled because somebody wants to know now.
	maxChecks      = 20
	defaultHistory = 100
	maxRecoveries  = 100 // in a reply
)

// Status tells of the states that are asked for, of all that are watched, whoever leads them. Errors are an [events.Error].
func (w *Watch) Status(ctx context.Context, req events.CIStatusRequest) (events.CIStatus, error) {
	v, err := w.wait(ctx)
	if err != nil {
		return events.CIStatus{}, err
	}
	now := time.Now()
	status := events.CIStatus{Repository: req.Repository, Workflows: []events.CIWorkflowStatus{}}
	all := w.repositories.all()
	status.Repositories = len(all)
	if req.Repository == "" && len(all) == 1 {
		status.Repository = all[0].Name
	}
	for _, known := range v.all() {
		rule, ok := w.ruleOf(known.state)
		if !ok || !selects(req, known.state) {
			continue
		}
		if told := known.state.Status(rule.Tracker(), now); req.Health == "" || told.Health == req.Health {
			status.Workflows = append(status.Workflows, told)
		}
	}
	slices.SortFunc(status.Workflows, func(a, b events.CIWorkflowStatus) int {
		return cmp.Or(cmp.Compare(a.Forge, b.Forge), cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Workflow, b.Workflow),
			cmp.Compare(a.WorkflowID, b.WorkflowID), cmp.Compare(a.Branch, b.Branch))
	})
	limit := req.Limit
	if limit == 0 {
		limit = events.MaxCIStatus
	}
	if len(status.Workflows) > limit {
		status.More = len(status.Workflows) - limit
		status.Workflows = status.Workflows[:limit]
	}
	w.tellPolls(v, req, &status)
	return status, nil
}

// tellPolls adds how the polls do.
func (w *Watch) tellPolls(v *view, req events.CIStatusRequest, status *events.CIStatus) {
	quotas, records, broken := v.told()
	status.Quotas = w.newest(quotas)
	var failed record
	for _, r := range records {
		if req.Repository != "" && !strings.EqualFold(r.Repository, req.Repository) || !w.Watches(r.Forge, r.Repository) {
			continue
		}
		if r.PolledAt.After(status.LastPollAt) {
			status.LastPollAt = r.PolledAt
		}
		if r.Error != "" && (failed.Error == "" || r.Repository < failed.Repository) {
			failed = r
		}
	}
	switch {
	case broken != nil:
		status.LastError = broken.Error()
	case failed.Error != "":
		status.LastError = failed.Repository + ": " + failed.err().Error()
	}
}

// newest replaces what was written about the quotas by what this replica knows better.
func (w *Watch) newest(quotas []events.CIQuota) []events.CIQuota {
	for _, own := range w.Quotas() {
		i := slices.IndexFunc(quotas, func(q events.CIQuota) bool { return q.Forge == own.Forge && q.Credential == own.Credential })
		switch {
		case i < 0:
			quotas = append(quotas, own)
		case own.At.After(quotas[i].At):
			quotas[i] = own
		}
	}
	return quotas
}

// selects reports whether a state is asked for.
func selects(req events.CIStatusRequest, s tracker.State) bool {
	workflow := func(name string) bool {
		return strings.EqualFold(name, s.Workflow) || name == s.File || name == strconv.FormatInt(s.WorkflowID, 10)
	}
	return (req.Forge == "" || req.Forge == s.Forge) && (req.Repository == "" || strings.EqualFold(req.Repository, s.Repository)) &&
		(req.Workflow == "" || workflow(req.Workflow)) && (req.Branch == "" || req.Branch == s.Branch)
}

// Check has the repositories that are asked for polled now, and returns when they are, or why one could not be. Errors are an [events.Error].
func (w *Watch) Check(ctx context.Context, req events.CIStatusRequest) error {
	v, err := w.wait(ctx)
	if err != nil {
		return err
	}
	var wanted []Repository
	for _, r := range w.repositories.all() {
		if (req.Repository == "" || strings.EqualFold(req.Repository, r.Name)) && (req.Forge == "" || req.Forge == r.Forge) && w.pollable(r) {
			wanted = append(wanted, r)
		}
	}
	switch {
	case len(wanted) == 0 && req.Repository != "":
		return events.Errorf(events.CodeNotFound, "the repository %s is not watched, or only its webhooks are", req.Repository)
	case len(wanted) > maxChecks:
		return events.Errorf(events.CodeInvalidArgument, "%d repositories are watched; at most %d are asked about at a time: name one by \"repository\"", len(wanted), maxChecks)
	}
	id := rand.Text()
	before, ok := ctx.Deadline()
	if !ok {
		before = time.Now().Add(time.Minute)
	}
	for _, r := range wanted {
		s := forge.Sighting{Forge: r.Forge, Repository: r.Name, Command: &forge.Command{ID: id, Before: before}, At: time.Now()}
		if err := w.Tell(ctx, id+"-"+r.recordKey(), s); err != nil {
			return err
		}
	}
	for _, r := range wanted {
		answered := func() bool { return slices.Contains(v.record(r.recordKey()).Answered, id) }
		if err := v.until(ctx, answered); err != nil {
			return events.Errorf(events.CodeUnavailable, "nobody has asked about %s in time: %w", r.Name, err)
		}
		if err := v.record(r.recordKey()).err(); err != nil {
			return err
		}
	}
	return nil
}

// History tells which runs of a repository were counted, and what was done. Errors are an [events.Error].
func (w *Watch) History(ctx context.Context, req events.CIHistoryRequest) (events.CIHistory, error) {
	v, err := w.wait(ctx)
	if err != nil {
		return events.CIHistory{}, err
	}
	limit := req.Limit
	if limit == 0 {
		limit = defaultHistory
	}
	history := events.CIHistory{Runs: []events.CIPastRun{}}
	for _, known := range v.all() {
		if _, ok := w.ruleOf(known.state); !ok || !selects(asStatus(req), known.state) {
			continue
		}
		one := known.state.History(limit)
		history.Runs = append(history.Runs, one.Runs...)
		history.Recoveries = append(history.Recoveries, one.Recoveries...)
		history.Days = append(history.Days, one.Days...)
	}
	slices.SortStableFunc(history.Runs, func(a, b events.CIPastRun) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.RunNumber, a.RunNumber), cmp.Compare(a.Workflow, b.Workflow))
	})
	slices.SortStableFunc(history.Recoveries, func(a, b events.CIRecovery) int { return b.At.Compare(a.At) })
	slices.SortStableFunc(history.Days, func(a, b events.CIDay) int {
		return cmp.Or(cmp.Compare(b.Day, a.Day), cmp.Compare(a.Workflow, b.Workflow), cmp.Compare(a.Branch, b.Branch))
	})
	history.Runs = history.Runs[:min(len(history.Runs), limit)]
	history.Recoveries = history.Recoveries[:min(len(history.Recoveries), maxRecoveries)]
	if len(history.Runs) == 0 && !slices.ContainsFunc(w.cfg.Repositories, func(x Wanted) bool { return x.matches(Repository{Forge: x.Forge, Name: req.Repository}) }) {
		return history, events.Errorf(events.CodeNotFound, "the repository %s is not watched", req.Repository)
	}
	return history, nil
}

// asStatus asks for the same states.
func asStatus(req events.CIHistoryRequest) events.CIStatusRequest {
	return events.CIStatusRequest{Forge: req.Forge, Repository: req.Repository, Workflow: req.Workflow, Branch: req.Branch}
}

// Recover recovers one workflow and branch now, or tells what would be done. Errors are an [events.Error].
func (w *Watch) Recover(ctx context.Context, req events.CIRecoverRequest) (events.CIRecoverReply, error) {
	v, err := w.wait(ctx)
	if err != nil {
		return events.CIRecoverReply{}, err
	}
	key, s, rule, err := w.single(v, events.CIStatusRequest{Forge: req.Forge, Repository: req.Repository, Workflow: req.Workflow, Branch: req.Branch})
	if err != nil {
		return events.CIRecoverReply{}, err
	}
	decision := policy.Decide(s, rule, time.Now(), true)
	if !decision.Act {
		return events.CIRecoverReply{WhyNot: decision.WhyNot}, nil
	}
	if req.DryRun || decision.DryRun {
		told := toldOf(s, decision.Recovery)
		told.State = events.CIRecoveryDryRun
		why := "it was only asked what would be done"
		if decision.DryRun {
			why = "the rule " + strconv.Quote(rule.Name) + " is a dry run"
		}
		return events.CIRecoverReply{Recovery: &told, WhyNot: why}, nil
	}
	id := rand.Text()
	before, ok := ctx.Deadline()
	if !ok {
		before = time.Now().Add(time.Minute)
	}
	err = w.Tell(ctx, id, forge.Sighting{
		Forge: s.Forge, Repository: s.Repository, Command: &forge.Command{ID: id, Recover: key, Before: before}, At: time.Now(),
	})
	if err != nil {
		return events.CIRecoverReply{}, err
	}
	var done tracker.Recovery
	err = v.until(ctx, func() bool {
		s, _ := v.state(key)
		i := slices.IndexFunc(s.Recoveries, func(r tracker.Recovery) bool { return r.ID == id })
		if i >= 0 {
			done = s.Recoveries[i]
		}
		return i >= 0 && done.State != events.CIRecoveryPlanned
	})
	if err != nil {
		return events.CIRecoverReply{}, events.Errorf(events.CodeUnavailable, "it is not known yet whether the recovery %s was asked for; see ci.history: %w", id, err)
	}
	told := toldOf(s, done)
	return events.CIRecoverReply{Recovery: &told}, nil
}

// single finds the one state that is asked for.
func (w *Watch) single(v *view, req events.CIStatusRequest) (key string, s tracker.State, rule policy.Rule, err error) {
	var found []string
	for at, known := range v.all() {
		if r, ok := w.ruleOf(known.state); ok && selects(req, known.state) {
			key, s, rule = at, known.state, r
			found = append(found, known.state.Workflow+" on "+branchLabel(known.state.Branch, known.state.PullRequests))
		}
	}
	switch len(found) {
	case 0:
		return "", s, rule, events.Errorf(events.CodeNotFound, "no run is known of such a workflow of %s", req.Repository)
	case 1:
		return key, s, rule, nil
	default:
		slices.Sort(found)
		return "", s, rule, events.Errorf(events.CodeInvalidArgument, "there are %d such: say which by \"workflow\" and \"branch\": %s", len(found),
			bounded(strings.Join(found, ", ")))
	}
}

// toldOf is a recovery as others see it.
func toldOf(s tracker.State, r tracker.Recovery) events.CIRecovery {
	return events.CIRecovery{
		ID: r.ID, Workflow: s.Workflow, Branch: s.Branch, Action: r.Action, Rule: r.Rule, State: r.State, Reason: r.Reason,
		RunID: r.RunID, RunAttempt: r.RunAttempt, HeadSHA: r.HeadSHA, At: r.At,
	}
}

// Health says why a repository could not be polled the last time; nil when all could, or nothing is known yet.
func (w *Watch) Health() error {
	v, err := w.seen()
	if err != nil {
		return err
	}
	_, records, broken := v.told()
	if broken != nil {
		return broken
	}
	for _, r := range records {
		if err := r.err(); err != nil && w.Watches(r.Forge, r.Repository) {
			return err
		}
	}
	return nil
}
