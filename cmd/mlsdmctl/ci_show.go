package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxSentence is the longest text that stands alone in a line, in characters.
const maxSentence = 400

// printCIStatus prints health for a person.
func printCIStatus(w io.Writer, colours bool, req events.CIStatusRequest, status events.CIStatus, now time.Time) error {
	if len(status.Workflows) == 0 {
		fmt.Fprintln(w, noWorkflows(req))
	} else if err := ciTable(status, now).write(w, colours); err != nil {
		return err
	}
	if status.More > 0 {
		fmt.Fprintf(w, "%s more are not shown: choose with REPO, --workflow, --branch or --health\n", thousands(status.More))
	}
	fmt.Fprintln(w)
	if err := printQuotas(w, status.Quotas, now, colours); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, pollLine(req, status, now))
	if err == nil && status.LastError != "" {
		_, err = fmt.Fprintln(w, paint(colours, red, "the last poll failed: "+plain(status.LastError, maxSentence)))
	}
	return err
}

// noWorkflows says why there is nothing to show.
func noWorkflows(req events.CIStatusRequest) string {
	if req != (events.CIStatusRequest{}) {
		return "no workflow like that was seen; mlsdmctl ci shows those that were"
	}
	return "no run was seen yet"
}

// ciTable is the table of the workflows.
func ciTable(status events.CIStatus, now time.Time) *table {
	tb := &table{titles: []string{"REPOSITORY", "WORKFLOW", "BRANCH", "STATE", "STREAK", "SINCE", "LAST GOOD", "FLAKY", "RECOVERY"}}
	several := severalForges(status.Workflows)
	for _, w := range status.Workflows {
		repository := w.Repository
		if repository == "" {
			repository = status.Repository
		}
		if several {
			repository = w.Forge + ":" + repository
		}
		streak := cell{}
		if w.ConsecutiveFailures > 0 {
			streak = cell{text: thousands(w.ConsecutiveFailures) + " failed", colour: healthCell(w.Health).colour}
		}
		tb.row(cell{text: repository}, cell{text: w.Workflow}, cell{text: branchOf(w)}, healthCell(w.Health), streak,
			cell{text: ago(now, w.Since)}, cell{text: lastGood(w.LastGood, now)}, cell{text: flaky(w.Flaky)}, cell{text: w.Recovery})
	}
	return tb
}

// severalForges reports whether workflows are of more than one forge, so that it has to be said of which each is.
func severalForges(workflows []events.CIWorkflowStatus) bool {
	for _, w := range workflows {
		if w.Forge != workflows[0].Forge {
			return true
		}
	}
	return false
}

// branchOf tells the runs of pull requests from those of their branch.
func branchOf(w events.CIWorkflowStatus) string {
	if w.PullRequests {
		return w.Branch + " (pull requests)"
	}
	return w.Branch
}

// lastGood is the last commit that was good, and how old that is.
func lastGood(run *events.CIRun, now time.Time) string {
	if run == nil {
		return ""
	}
	at := run.CompletedAt
	if at.IsZero() {
		at = run.StartedAt
	}
	text := commit(run.HeadSHA)
	if text == "" {
		text = "run " + strconv.FormatInt(run.RunID, 10)
	}
	if !at.IsZero() {
		text += ", " + ago(now, at)
	}
	return text
}

// flaky is the worst of the flaky jobs, and how many more there are.
func flaky(jobs []events.CIFlakyJob) string {
	const name = 40
	if len(jobs) == 0 {
		return ""
	}
	worst := jobs[0]
	for _, job := range jobs[1:] {
		if job.Rate > worst.Rate {
			worst = job
		}
	}
	text := plain(worst.Name, name) + " " + percent(worst.Rate)
	if len(jobs) > 1 {
		text += fmt.Sprintf(" +%d", len(jobs)-1)
	}
	return text
}

// printQuotas prints the rate limits.
func printQuotas(w io.Writer, quotas []events.CIQuota, now time.Time, colours bool) error {
	if len(quotas) == 0 {
		return nil
	}
	tb := &table{titles: []string{"FORGE", "CREDENTIAL", "LEFT", "RESETS", "SPENT OF BUDGET", "AS OF"}}
	for _, q := range quotas {
		left := cell{text: thousands(q.Remaining) + " of " + thousands(q.Limit)}
		resets := ""
		if !q.ResetAt.IsZero() {
			resets = "in " + span(q.ResetAt.Sub(now))
			if !q.ResetAt.After(now) {
				resets, left.colour = "now", faint
			} else if q.Remaining == 0 {
				left.colour = red
			}
		}
		tb.row(cell{text: q.Forge}, cell{text: q.Credential}, left, cell{text: resets},
			cell{text: thousands(q.Spent) + " of " + thousands(q.Budget)}, cell{text: ago(now, q.At)})
	}
	return tb.write(w, colours)
}

// pollLine says what is watched, and how fresh it is.
func pollLine(req events.CIStatusRequest, status events.CIStatus, now time.Time) string {
	what := "one repository is watched"
	if status.Repositories != 1 {
		what = thousands(status.Repositories) + " repositories are watched"
	}
	switch {
	case !status.LastPollAt.IsZero():
	case req.Repository != "":
		return what + "; nothing is known of a poll of this one"
	default:
		return what + "; no forge has answered yet"
	}
	return what + "; last poll " + ago(now, status.LastPollAt)
}
