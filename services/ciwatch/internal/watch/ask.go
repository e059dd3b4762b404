package watch

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
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
	maxChecks = 20
	// tellAgain is how long a command is given before it is told again.
	tellAgain = 5 * time.Second
)

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
		return events.Errorf(events.CodeNotFound, "the repository %s is not watched, or only its webhooks are, or nobody has told yet that its owner has it", req.Repository)
	case len(wanted) == 0:
		return events.Errorf(events.CodeFailedPrecondition, "no repository is known that can be asked about")
	case len(wanted) > maxChecks:
		return events.Errorf(events.CodeInvalidArgument, "%d repositories are watched; at most %d are asked about at a time: name one by \"repository\"", len(wanted), maxChecks)
	}
	id := rand.Text()
	before, ok := ctx.Deadline()
	if !ok {
		before = time.Now().Add(time.Minute)
	}
	command := &forge.Command{ID: id, Before: before}
	answered := func(r Repository) bool { return slices.Contains(v.record(r.recordKey()).Answered, id) }
	for try := 0; ; try++ { // whoever leads may die, or hand over, with the command in its hands
		left := slices.DeleteFunc(slices.Clone(wanted), answered)
		for _, r := range left {
			s := forge.Sighting{Forge: r.Forge, Repository: r.Name, Command: command, At: time.Now()}
			if err := w.Tell(ctx, fmt.Sprintf("%s-%d-%s", id, try, r.recordKey()), s); err != nil {
				return err
			}
		}
		some, cancel := context.WithTimeout(ctx, tellAgain)
		err := v.until(some, func() bool { return !slices.ContainsFunc(left, func(r Repository) bool { return !answered(r) }) })
		cancel()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			left = slices.DeleteFunc(left, answered)
			return events.Errorf(events.CodeUnavailable, "nobody has asked about %s in time: %w", left[0].Name, ctx.Err())
		}
	}
	for _, r := range wanted {
		if err := v.record(r.recordKey()).err(); err != nil {
			return err
		}
	}
	return nil
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
	refused := false
	err = v.until(ctx, func() bool {
		s, _ = v.state(key)
		i := slices.IndexFunc(s.Recoveries, func(r tracker.Recovery) bool { return r.ID == id })
		if i >= 0 {
			done = s.Recoveries[i]
		}
		refused = i < 0 && slices.Contains(v.record(Repository{Forge: s.Forge, Name: s.Repository}.recordKey()).Answered, id)
		return refused || i >= 0 && done.State != events.CIRecoveryPlanned
	})
	if refused {
		decision = policy.Decide(s, rule, time.Now(), true)
		return events.CIRecoverReply{WhyNot: cmp.Or(decision.WhyNot, "whoever watches the repository has decided not to; ask again")}, nil
	}
	if err != nil {
		return events.CIRecoverReply{}, events.Errorf(events.CodeUnavailable, "it is not known yet whether the recovery %s was asked for; see ci.history: %w", id, err)
	}
	told := toldOf(s, done)
	return events.CIRecoverReply{Recovery: &told}, nil
}

// single finds the one state that is asked for.
func (w *Watch) single(v *view, req events.CIStatusRequest) (key string, s tracker.State, rule policy.Rule, err error) {
	var found []string
	for _, known := range v.all() {
		if !selects(req, known.state) || !w.watches(known.repository) {
			continue
		}
		if r, ok := w.ruleOf(known.state); ok {
			key, s, rule = known.key, known.state, r
			found = append(found, known.state.Workflow+" on "+branchLabel(known.state.Branch, known.state.PullRequests)+" in "+known.state.Forge)
		}
	}
	switch len(found) {
	case 0:
		return "", s, rule, events.Errorf(events.CodeNotFound, "no run is known of such a workflow of %s", req.Repository)
	case 1:
		return key, s, rule, nil
	default:
		slices.Sort(found)
		return "", s, rule, events.Errorf(events.CodeInvalidArgument, "there are %d such: say which by \"workflow\", \"branch\" and \"forge\": %s", len(found),
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
