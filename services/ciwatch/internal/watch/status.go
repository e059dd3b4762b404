package watch

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// maxReply bounds what of a reply is made of parts, in bytes: with the rest of it, it fits into a message of 1 MiB, which is what servers take if
// nobody says otherwise.
const maxReply = 900 << 10

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
		if !selects(req, known.state) || !w.watches(known.repository) {
			continue
		}
		rule, ok := w.ruleOf(known.state)
		if !ok {
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
	found := len(status.Workflows)
	status.Workflows = fitting(status.Workflows, cmp.Or(req.Limit, events.MaxCIStatus), maxReply)
	status.More = found - len(status.Workflows)
	w.tellPolls(v, req, &status)
	return status, nil
}

// tellPolls adds how the polls do.
func (w *Watch) tellPolls(v *view, req events.CIStatusRequest, status *events.CIStatus) {
	quotas, records, broken := v.told()
	status.Quotas = w.newest(quotas)
	var failed record
	for _, r := range records {
		if req.Repository != "" && !strings.EqualFold(r.Repository, req.Repository) || req.Forge != "" && req.Forge != r.Forge {
			continue
		}
		if !w.watches(r.of()) {
			continue
		}
		if r.PolledAt.After(status.LastPollAt) {
			status.LastPollAt = r.PolledAt
		}
		if w.fails(r) && (failed.Error == "" || r.Repository < failed.Repository) {
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

// fails reports whether a repository cannot be polled although it should be. One that was found by a pattern and is gone need not.
func (w *Watch) fails(r record) bool {
	return r.Code != "" && w.watches(r.of()) && (r.Code != events.CodeNotFound || w.repositories.isNamed(r.of()))
}

// fitting returns the first of some things: at most so many, and as many as have room in so many bytes of JSON.
func fitting[T any](all []T, limit, room int) []T {
	for i, one := range all {
		text, err := json.Marshal(one)
		if room -= len(text) + 1; err != nil || i == limit || room < 0 {
			return all[:i]
		}
	}
	return all
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

// Health says why a repository could not be polled the last time, or is not known to be there; nil when all is well, or nothing is known yet.
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
		if w.fails(r) {
			return r.err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, err := range w.unlisted {
		return err
	}
	return nil
}
