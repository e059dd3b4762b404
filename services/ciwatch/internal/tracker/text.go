package tracker

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// Bounds of texts, in bytes.
const (
	maxName       = 128 // workflows, jobs, steps, titles, …
	maxRepository = 512
	maxBranch     = 255
	maxWord       = 64
	maxURL        = 400
	maxJobBytes   = 4 << 10 // all failed jobs and steps of one attempt
)

// text returns s in at most limit bytes: valid, printable, and cut where it is too long.
func text(s string, limit int) string {
	if len(s) <= limit && clean(s) {
		return s
	}
	s = s[:min(len(s), 4*limit)] // who writes that much that is not printable is not read to the end
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// clean reports whether s is nothing but printable ASCII.
func clean(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// address returns s if it may be one, and nothing otherwise: half an address leads nowhere.
func address(s string) string {
	if len(s) > maxURL || !clean(s) || strings.ContainsAny(s, "\"\\<> ") {
		return ""
	}
	return s
}

// bounded returns run as it is kept: with bounded texts and times in UTC, and without what all runs of the state share.
func (s *State) bounded(run forge.Run) forge.Run {
	run.Repository, run.WorkflowID, run.Branch = "", 0, ""
	run.Workflow, run.File = text(run.Workflow, maxName), text(run.File, maxName)
	run.Attempt, run.Number = max(run.Attempt, 1), max(run.Number, 0)
	run.Event, run.HeadSHA, run.Author = text(run.Event, maxWord), text(run.HeadSHA, maxWord), text(run.Author, maxWord)
	run.Title, run.URL = text(run.Title, maxName), address(run.URL)
	run.Conclusion = forge.Conclusion(text(string(run.Conclusion), maxWord))
	run.CreatedAt, run.StartedAt, run.CompletedAt = instant(run.CreatedAt), instant(run.StartedAt), instant(run.CompletedAt)
	run.Failed = boundedJobs(run.Failed)
	if !run.Conclusion.Failed() {
		run.Failed, run.JobsKnown = nil, false
	}
	return run
}

// attach gives a run back what all runs of the state share.
func (s *State) attach(run forge.Run) forge.Run {
	run.Repository, run.WorkflowID, run.Branch, run.PullRequest = s.Repository, s.WorkflowID, s.Branch, s.PullRequests
	return run
}

// instant returns t as it is stored and comes back; zero when it cannot be.
func instant(t time.Time) time.Time {
	if t.Unix() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

// ciRun is run as events show it.
func (s *State) ciRun(run forge.Run) events.CIRun {
	out := events.CIRun{
		Forge: s.Forge, Repository: s.Repository, Workflow: named(s.Workflow), WorkflowID: s.WorkflowID, Branch: named(s.Branch),
		RunID: run.ID, RunAttempt: run.Attempt, RunNumber: run.Number, Conclusion: named(string(run.Conclusion)), Event: run.Event,
		HeadSHA: run.HeadSHA, Title: run.Title, Author: run.Author, URL: run.URL, StartedAt: run.StartedAt, CompletedAt: run.CompletedAt,
		DurationSeconds: span(run.StartedAt, run.CompletedAt).Seconds(),
	}
	if run.Workflow != "" {
		out.Workflow = run.Workflow
	}
	for _, job := range run.Failed {
		out.FailedJobs = append(out.FailedJobs, events.CIJob{
			Name: job.Name, Conclusion: string(job.Conclusion), FailedSteps: job.FailedSteps, URL: job.URL,
		})
	}
	return out
}

// named returns s, or a word for nothing where the contract demands one.
func named(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// span is the time between two, as far as it is believed; 0 when one is not known.
func span(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return min(max(to.Sub(from), 0), maxDuration)
}
