// Package forge says what ciwatch knows of a code forge: the completed runs of a repository's workflows.
package oldforge

import (
	"context"
	"slices"
	"time"
)

// Source lists completed runs. An implementation watches one repository, and one branch and workflow of it when it was
// made so.
type Source interface {
	// CompletedRuns returns one page of completed runs, the newest first; pages count from 1. A run that was started again
	// appears once, with its latest attempt, and only when that is completed. Failures are an events.Error: rate_limited
	// with RetryAfter, unauthenticated, permission_denied, not_found, unavailable, deadline_exceeded, canceled.
	CompletedRuns(ctx context.Context, page int) (Page, error)
}

// Page is a part of the list of completed runs.
type Page struct {
	// Runs are the runs of the page, the newest first.
	Runs []Run
	// More says that an older page exists.
	More bool
	// Skipped counts the entries that were no usable run, such as one without an id.
	Skipped int
	// Quota is what the forge says about its rate limit; the zero value when it says nothing.
	Quota Quota
}

// Quota is a rate limit as the forge last reported it.
type Quota struct {
	// Limit and Remaining count requests in the current window; Limit is 0 when nothing is known.
	Limit     int
	Remaining int
	// Reset is when the window ends and Remaining becomes Limit again.
	Reset time.Time
}

// Run is one completed attempt of a workflow run.
type Run struct {
	// ID identifies the run in its forge, greater than 0; all its attempts share it.
	ID int64
	// Attempt counts from 1.
	Attempt int
	// Number orders the runs of one workflow: the later started, the greater.
	Number int
	// WorkflowID and Workflow are the workflow's id and its name for people.
	WorkflowID int64
	Workflow   string
	// Branch is the branch that is watched.
	Branch string
	// HeadSHA is the commit that was built; empty when the forge did not say.
	HeadSHA string
	// Conclusion is how the attempt ended.
	Conclusion Conclusion
	// URL is the page of the run for people; empty or absolute http(s).
	URL string
	// StartedAt and CompletedAt bound the attempt; CompletedAt is never before StartedAt.
	StartedAt   time.Time
	CompletedAt time.Time
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

// Passed reports whether the attempt says that the code passes.
func (c Conclusion) Passed() bool { return c == Success }

// Known reports whether c is one of [Conclusions]. An unknown one says nothing about the code: it neither failed nor
// passed.
func (c Conclusion) Known() bool {
	return slices.Contains(Conclusions(), c)
}
