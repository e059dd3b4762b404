package forge

import (
	"cmp"
	"slices"
	"time"
)

// Run is one attempt of a workflow run; but for [Forge.Run], a completed one. Its texts are printable and bounded, its times sane.
type Run struct {
	// Repository is "owner/name", as the forge writes it.
	Repository string `json:"repository"`
	// ID identifies the run in its forge, greater than 0; all its attempts share it.
	ID int64 `json:"id"`
	// Attempt orders the attempts of a run, from 1. It counts them where the forge does; where it does not (GitLab), it is the Unix
	// time in seconds at which the attempt ended, and Counted is false.
	Attempt int  `json:"attempt"`
	Counted bool `json:"counted"`
	// Number orders the runs of one workflow: the later started, the greater.
	Number int `json:"number"`
	// WorkflowID and Workflow are the workflow's id and its name for people; File is the name of its file, empty when there is none.
	WorkflowID int64  `json:"workflow_id"`
	Workflow   string `json:"workflow"`
	File       string `json:"file,omitempty"`
	// Branch is the branch that the run is for; of a pull request, the one that it comes from.
	Branch string `json:"branch"`
	// Event is what started it, in the forge's word. PullRequest says that it is a pull request's; FromFork that its code is another
	// repository's.
	Event       string `json:"event,omitempty"`
	PullRequest bool   `json:"pull_request,omitempty"`
	FromFork    bool   `json:"from_fork,omitempty"`
	// HeadSHA is the commit that was built, Title the first line of its message, Author the login of who started the run; each empty when
	// the forge did not say.
	HeadSHA string `json:"head_sha,omitempty"`
	Title   string `json:"title,omitempty"`
	Author  string `json:"author,omitempty"`
	// Done says that the attempt is completed; Conclusion is then how.
	Done       bool       `json:"done"`
	Conclusion Conclusion `json:"conclusion,omitempty"`
	// URL is the page of the run for people; empty or absolute http(s).
	URL string `json:"url,omitempty"`
	// CreatedAt is when the run was asked for; StartedAt and CompletedAt bound the attempt. CompletedAt is never before StartedAt, which
	// is never before CreatedAt.
	CreatedAt   time.Time `json:"created_at,omitzero"`
	StartedAt   time.Time `json:"started_at,omitzero"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	// Trace is the trace context of the webhook that told of it first, as a traceparent; empty when it had none, or a poll has told.
	Trace string `json:"trace,omitempty"`
	// Failed are the jobs that failed, at most events.MaxCIJobs, when JobsKnown.
	Failed    []Job `json:"failed,omitempty"`
	JobsKnown bool  `json:"jobs_known,omitempty"`
}

// Job is a completed job of an attempt.
type Job struct {
	// ID identifies the job in its forge.
	ID int64 `json:"id"`
	// RunID and Attempt say which attempt it was part of, as in [Run]. GitHub keeps a job that was not run again in its old attempt.
	RunID   int64 `json:"run_id"`
	Attempt int   `json:"attempt"`
	// Name is the job's name, matrix and all: "test (1.26, linux)".
	Name string `json:"name"`
	// Conclusion is how it ended.
	Conclusion Conclusion `json:"conclusion"`
	// FailedSteps are the names of the steps that failed, at most events.MaxCISteps, in their order.
	FailedSteps []string `json:"failed_steps,omitempty"`
	// URL is its page for people; empty or absolute http(s).
	URL string `json:"url,omitempty"`
	// HeadSHA is the commit, Branch the branch and Workflow the workflow's name, as far as the forge says so with a job.
	HeadSHA  string `json:"head_sha,omitempty"`
	Branch   string `json:"branch,omitempty"`
	Workflow string `json:"workflow,omitempty"`
	// StartedAt and CompletedAt bound it.
	StartedAt   time.Time `json:"started_at,omitzero"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
}

// Compare orders runs of one workflow from old to new: by number, id and attempt.
func Compare(a, b Run) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Attempt, b.Attempt))
}

// CompareCompleted orders attempts by when they ended and, if that is the same, as [Compare] does.
func CompareCompleted(a, b Run) int {
	return cmp.Or(a.CompletedAt.Compare(b.CompletedAt), Compare(a, b))
}

// Conclusion is how an attempt ended, in GitHub's words.
type Conclusion string

// The conclusions that GitHub documents for workflow runs, and startup_failure, which it sends too.
const (
	Success        Conclusion = "success"
	Failure        Conclusion = "failure"
	TimedOut       Conclusion = "timed_out"
	StartupFailure Conclusion = "startup_failure"
	Neutral        Conclusion = "neutral"
	Cancelled      Conclusion = "cancelled"
	Skipped        Conclusion = "skipped"
	Stale          Conclusion = "stale"
	ActionRequired Conclusion = "action_required"
)

// Conclusions returns every known conclusion.
func Conclusions() []Conclusion {
	return []Conclusion{Success, Failure, TimedOut, StartupFailure, Neutral, Cancelled, Skipped, Stale, ActionRequired}
}

// Failed reports whether the attempt says that the code does not pass.
func (c Conclusion) Failed() bool { return c == Failure || c == TimedOut || c == StartupFailure }

// Passed reports whether the attempt says that the code passes. A neutral one does not say so by itself: a rule may.
func (c Conclusion) Passed() bool { return c == Success }

// Known reports whether c is one of [Conclusions]. An unknown one says nothing about the code: it neither failed nor
// passed.
func (c Conclusion) Known() bool {
	return slices.Contains(Conclusions(), c)
}
