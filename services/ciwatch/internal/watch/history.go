package watch

import (
	"cmp"
	"context"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	defaultHistory = 100
	maxRecoveries  = 100 // in a reply
	maxDays        = 1000
)

// History tells which runs of a repository were counted, and what was done. Errors are an [events.Error].
func (w *Watch) History(ctx context.Context, req events.CIHistoryRequest) (events.CIHistory, error) {
	v, err := w.wait(ctx)
	if err != nil {
		return events.CIHistory{}, err
	}
	limit := cmp.Or(req.Limit, defaultHistory)
	history := events.CIHistory{Runs: []events.CIPastRun{}}
	for _, known := range v.all() {
		if !selects(asStatus(req), known.state) || !w.watches(known.repository) {
			continue
		}
		if _, ok := w.ruleOf(known.state); !ok {
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
	history.Runs = fitting(history.Runs, limit, maxReply/2)
	history.Recoveries = fitting(history.Recoveries, maxRecoveries, maxReply/4)
	history.Days = fitting(history.Days, maxDays, maxReply/4)
	watched := func(x Wanted) bool { return x.matches(Repository{Forge: x.Forge, Name: req.Repository}) }
	if len(history.Runs) == 0 && !slices.ContainsFunc(w.cfg.Repositories, watched) {
		return history, events.Errorf(events.CodeNotFound, "the repository %s is not watched", req.Repository)
	}
	return history, nil
}

// asStatus asks for the same states.
func asStatus(req events.CIHistoryRequest) events.CIStatusRequest {
	return events.CIStatusRequest{Forge: req.Forge, Repository: req.Repository, Workflow: req.Workflow, Branch: req.Branch}
}
