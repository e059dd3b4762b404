// Package forge says what ciwatch knows of a code forge: what it is asked, what it tells, and what it is told to do. Each
// forge has a package of its own below this one.
package forge

import (
	"context"
	"time"
)

// Forge is one forge, for example github.com, with the credentials by which it is asked. It is safe for concurrent use.
//
// Failures are an events.Error: rate_limited and unavailable, with RetryAfter when the forge said one; unauthenticated,
// permission_denied, not_found, failed_precondition (the forge understood and refuses, such as a run that is too old to run
// again), deadline_exceeded, canceled. None holds a credential, nor more than a line of what the forge said.
type Forge interface {
	// Name is the forge's name in the configuration, for example "github".
	Name() string
	// Runs returns one page of completed runs, the newest first. A run that was started again appears once, with its latest
	// attempt, and only when that is completed.
	Runs(ctx context.Context, q Query) (Page, error)
	// Run returns a run as it is now, completed or not.
	Run(ctx context.Context, repository string, id int64) (Run, error)
	// Jobs returns the jobs of an attempt, failed or not; of those that failed, with the steps that did. At most MaxJobs.
	Jobs(ctx context.Context, run Run) ([]Job, error)
	// Rerun starts a completed run again: its failed jobs, or all of it. It is not idempotent: whoever calls it again asks Run before.
	Rerun(ctx context.Context, run Run, failedOnly bool) error
	// Dispatch starts a workflow anew on a branch. It is not idempotent: whoever calls it again asks Dispatched before.
	Dispatch(ctx context.Context, d Dispatch) error
	// Dispatched reports whether the workflow was started so on the branch since then, to the second, by whomever.
	Dispatched(ctx context.Context, d Dispatch, since time.Time) (bool, error)
	// DefaultBranch returns the repository's default branch.
	DefaultBranch(ctx context.Context, repository string) (string, error)
	// Repositories returns the repositories of an owner, a user or an organisation, page by page, from 1: "owner/name". Archived
	// ones are left out.
	Repositories(ctx context.Context, owner string, page int) (names []string, more bool, err error)
	// Quotas returns the rate limits of all credentials, as they were last told. It asks nothing.
	Quotas() []Quota
}

// MaxJobs bounds the jobs of an attempt that are looked at.
const MaxJobs = 1000

// Query asks for completed runs.
type Query struct {
	// Repository is "owner/name".
	Repository string
	// Branch narrows the question to one branch; empty is all of them.
	Branch string
	// Page counts from 1; 0 is 1.
	Page int
}

// Page is a part of the list of completed runs.
type Page struct {
	// Runs are the runs of the page, the newest first.
	Runs []Run
	// More says that an older page exists.
	More bool
	// Skipped counts the entries that were no usable run, such as one without an id.
	Skipped int
	// NotModified says that nothing has changed since the same question was asked last: Runs are those of then.
	NotModified bool
	// Wait is how long the forge wants to be left alone before the same question is asked again; 0 when it did not say.
	Wait time.Duration
}

// Quota is the rate limit of one credential, as the forge last reported it.
type Quota struct {
	// Credential names it for people, never its value: "token 1", "app 12345 installation 678", "no credential".
	Credential string
	// Limit and Remaining count requests in the current window; Limit is 0 when nothing is known.
	Limit     int
	Remaining int
	// Reset is when the window ends and Remaining becomes Limit again.
	Reset time.Time
	// Spent counts the requests of this process in the window that were not free.
	Spent int
	// At is when the forge said so.
	At time.Time
}

// Dispatch starts a workflow anew.
type Dispatch struct {
	// Repository is "owner/name".
	Repository string
	// Workflow is a file name ("ci.yml") or an id.
	Workflow string
	// Ref is the branch.
	Ref string
	// Inputs are the workflow's inputs, by name.
	Inputs map[string]string
}
