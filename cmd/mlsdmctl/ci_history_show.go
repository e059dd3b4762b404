package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Results of a run, in the words of the contract.
const (
	runPassed = "passed"
	runFailed = "failed"
)

// printCIHistory prints what was counted and done for a person; status has the figures.
func printCIHistory(w io.Writer, colours bool, h events.CIHistory, status events.CIStatus, now time.Time) error {
	if len(h.Runs) == 0 {
		if _, err := fmt.Fprintln(w, "no run like that was counted yet"); err != nil {
			return err
		}
	}
	if err := printLines(w, colours, h, status, now); err != nil {
		return err
	}
	for _, tb := range []*table{runsTable(h.Runs, now), recoveriesTable(h.Recoveries, now), daysTable(h.Days)} {
		if len(tb.rows) == 0 {
			continue
		}
		fmt.Fprintln(w)
		if err := tb.write(w, colours); err != nil {
			return err
		}
	}
	return nil
}

// ciLine is a workflow on a branch.
type ciLine struct{ workflow, branch string }

// printLines prints, for each workflow and branch, a strip of its runs and its figures.
func printLines(w io.Writer, colours bool, h events.CIHistory, status events.CIStatus, now time.Time) error {
	runs := make(map[ciLine][]events.CIPastRun)
	var lines []ciLine
	see := func(line ciLine) {
		if _, known := runs[line]; !known {
			lines = append(lines, line)
			runs[line] = nil
		}
	}
	for _, run := range h.Runs {
		line := ciLine{run.Workflow, run.Branch}
		see(line)
		runs[line] = append(runs[line], run)
	}
	for _, s := range status.Workflows {
		see(ciLine{s.Workflow, s.Branch})
	}
	slices.SortFunc(lines, func(a, b ciLine) int {
		return cmp.Or(cmp.Compare(a.workflow, b.workflow), cmp.Compare(a.branch, b.branch))
	})
	for i, line := range lines {
		if i > 0 {
			fmt.Fprintln(w)
		}
		title := plain(line.workflow, maxCell) + " on " + plain(line.branch, maxCell)
		if len(runs[line]) > 0 {
			title += "  " + strip(runs[line], colours)
		}
		if _, err := fmt.Fprintln(w, title); err != nil {
			return err
		}
		for _, s := range status.Workflows {
			if (ciLine{s.Workflow, s.Branch}) == line {
				printFigures(w, colours, s, now)
			}
		}
	}
	return nil
}

// strip draws runs, the oldest first.
func strip(runs []events.CIPastRun, colours bool) string {
	var b strings.Builder
	for _, run := range slices.Backward(runs) {
		switch {
		case run.Flaky:
			b.WriteString(paint(colours, yellow, "~"))
		case run.Result == runPassed:
			b.WriteString(paint(colours, green, "+"))
		case run.Result == runFailed:
			b.WriteString(paint(colours, red, "x"))
		default:
			b.WriteString(paint(colours, faint, "-"))
		}
	}
	return b.String()
}

// printFigures prints the health and the figures of a workflow on a branch.
func printFigures(w io.Writer, colours bool, s events.CIWorkflowStatus, now time.Time) {
	health := healthCell(s.Health)
	line := "  " + paint(colours, health.colour, plain(health.text, maxCell))
	if s.PullRequests {
		line = "  pull requests:" + line[1:]
	}
	if !s.Since.IsZero() {
		line += " for " + span(now.Sub(s.Since))
	}
	fmt.Fprintln(w, line)
	if s.Stats == nil || s.Stats.Runs == 0 {
		return
	}
	st := s.Stats
	fmt.Fprintf(w, "  30 days: %s of %s runs failed (%s)", thousands(st.Failed), thousands(st.Runs), percent(st.FailureRate))
	if green := lasting(st.TimeToGreen); green != "" {
		fmt.Fprintf(w, "; %s from red to green", green)
	}
	if mean := lasting(st.MeanTimeToRecovery); mean != "" {
		fmt.Fprintf(w, "; %s from degraded to healthy", mean)
		if st.Recoveries > 1 {
			fmt.Fprintf(w, " (mean of %s)", thousands(st.Recoveries))
		}
	}
	fmt.Fprintln(w)
	var parts []string
	if takes := lasting(st.RunP50); takes != "" {
		parts = append(parts, fmt.Sprintf("takes %s (p95 %s)", takes, orDash(lasting(st.RunP95))))
	}
	if waits := lasting(st.QueueP50); waits != "" {
		parts = append(parts, fmt.Sprintf("waits %s (p95 %s)", waits, orDash(lasting(st.QueueP95))))
	}
	if len(parts) > 0 {
		fmt.Fprintln(w, "  a run "+strings.Join(parts, " and "))
	}
}

// runsTable is the table of the runs.
func runsTable(runs []events.CIPastRun, now time.Time) *table {
	tb := &table{titles: []string{"STARTED", "RESULT", "WORKFLOW", "BRANCH", "RUN", "ATTEMPTS", "COMMIT", "WAITED", "TOOK", "FAILED JOBS", "URL"}}
	for _, run := range runs {
		result := cell{text: run.Result, colour: faint}
		switch run.Result {
		case runPassed:
			result.colour = green
		case runFailed:
			result.colour = red
		}
		if run.Flaky {
			result.text, result.colour = run.Result+", flaky", yellow
		}
		number, attempts, url := strconv.FormatInt(run.RunID, 10), "", ""
		if run.RunNumber > 0 {
			number = "#" + strconv.Itoa(run.RunNumber)
		}
		if run.Attempts > 1 {
			attempts = strconv.Itoa(run.Attempts)
		}
		if run.Result != runPassed {
			url = run.URL
		}
		tb.row(cell{text: ago(now, run.StartedAt)}, result, cell{text: run.Workflow}, cell{text: run.Branch}, cell{text: number},
			cell{text: attempts}, cell{text: commit(run.HeadSHA)}, cell{text: lasting(run.QueueSeconds)}, cell{text: lasting(run.RunSeconds)},
			cell{text: oneLine(strings.Join(run.FailedJobs, ", "), 60)}, cell{text: url})
	}
	return tb
}

// recoveriesTable is the table of the recoveries.
func recoveriesTable(recoveries []events.CIRecovery, now time.Time) *table {
	tb := &table{titles: []string{"RECOVERY", "STATE", "ACTION", "WORKFLOW", "BRANCH", "RUN", "RULE", "WHY"}}
	for _, r := range recoveries {
		tb.row(cell{text: ago(now, r.At)}, recoveryCell(r.State), cell{text: r.Action}, cell{text: r.Workflow}, cell{text: r.Branch},
			cell{text: runOf(r)}, cell{text: r.Rule}, cell{text: r.Reason})
	}
	return tb
}

// recoveryCell is how a recovery does, in its colour.
func recoveryCell(state string) cell {
	colour := faint
	switch state {
	case events.CIRecoveryPlanned, events.CIRecoveryAsked:
		colour = cyan
	case events.CIRecoveryWorked:
		colour = green
	case events.CIRecoveryUseless, events.CIRecoveryRefused:
		colour = red
	}
	return cell{text: state, colour: colour}
}

// daysTable is the table of the days. How many runs failed is drawn, too.
func daysTable(days []events.CIDay) *table {
	tb := &table{titles: []string{"DAY", "WORKFLOW", "BRANCH", "RUNS", "FAILED", "SHARE"}}
	for _, day := range days {
		tb.row(cell{text: day.Day}, cell{text: day.Workflow}, cell{text: day.Branch}, cell{text: thousands(day.Runs)},
			cell{text: thousands(day.Failed)}, cell{text: strings.TrimSuffix(bar(int64(day.Failed), int64(day.Runs)), " "), colour: faint})
	}
	return tb
}
