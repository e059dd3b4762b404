package events

import "time"

// CI health in one word.
const (
	// CIHealthy says that the last run that counts passed.
	CIHealthy = "healthy"
	// CIFailing says that the last runs failed, fewer than the threshold.
	CIFailing = "failing"
	// CIDegradedHealth says that the threshold was crossed.
	CIDegradedHealth = "degraded"
	// CIRecovering says that a recovery is under way, or that runs pass again, fewer than it takes to be healthy.
	CIRecovering = "recovering"
	// CIStaleHealth says that there was no run for longer than the rule allows.
	CIStaleHealth = "stale"
	// CIUnknown says that no run was seen that counts.
	CIUnknown = "unknown"
)

// CIStatusRequest is the body of a request on ci.status and ci.check. All its fields narrow what is asked for; without any it
// is all that is watched.
type CIStatusRequest struct {
	// Forge is the forge's name in the configuration.
	Forge string `json:"forge,omitempty" jsonschema:"maxLength=64"`
	// Repository is "owner/name".
	Repository string `json:"repository,omitempty" jsonschema:"maxLength=512"`
	// Workflow is a workflow's name, file name or id.
	Workflow string `json:"workflow,omitempty" jsonschema:"maxLength=256"`
	// Branch is a branch.
	Branch string `json:"branch,omitempty" jsonschema:"maxLength=255"`
	// Health is one of the words, and asks for those that are so.
	Health string `json:"health,omitempty" jsonschema:"maxLength=32"`
	// Limit bounds the reply, 1 to 1000; 0 is 1000.
	Limit int `json:"limit,omitempty" jsonschema:"minimum=0,maximum=1000"`
}

// MaxCIStatus bounds the workflows of one [CIStatus].
const MaxCIStatus = 1000

// Validate checks the request's bounds. The error is an [Error] of code invalid_argument.
func (r CIStatusRequest) Validate() error {
	return firstError(
		atMost("forge", len(r.Forge), 64), atMost("repository", len(r.Repository), 512), atMost("workflow", len(r.Workflow), 256),
		atMost("branch", len(r.Branch), 255), inRange("limit", float64(r.Limit), 0, MaxCIStatus), r.validateHealth(),
	)
}

// validateHealth checks the word.
func (r CIStatusRequest) validateHealth() error {
	if r.Health == "" {
		return nil
	}
	return oneOf("health", r.Health, CIHealthy, CIFailing, CIDegradedHealth, CIRecovering, CIStaleHealth, CIUnknown)
}

// CIStatus is the reply of ci.status and ci.check.
type CIStatus struct {
	// Repository is "owner/name" when one is watched, or was asked for.
	Repository string `json:"repository"`
	// Repositories counts those that are watched.
	Repositories int `json:"repositories,omitempty" jsonschema:"minimum=0"`
	// Workflows is the health of each watched workflow and branch, ordered by forge, repository, workflow and branch.
	Workflows []CIWorkflowStatus `json:"workflows"`
	// More counts the workflows that did not fit.
	More int `json:"more,omitempty" jsonschema:"minimum=0"`
	// LastPollAt is when a forge last answered.
	LastPollAt time.Time `json:"last_poll_at,omitzero"`
	// LastError says why the last poll of a repository failed; empty when none did.
	LastError string `json:"last_error,omitempty"`
	// Quotas are the rate limits of the forges.
	Quotas []CIQuota `json:"quotas,omitempty"`
}

// CIQuota is the rate limit of one credential at a forge, as it was last told.
type CIQuota struct {
	// Forge and Credential say whose it is: the forge's name, and the credential's, never its value.
	Forge      string `json:"forge"`
	Credential string `json:"credential"`
	// Limit and Remaining count the requests of the window that ends at ResetAt.
	Limit     int       `json:"limit" jsonschema:"minimum=0"`
	Remaining int       `json:"remaining" jsonschema:"minimum=0"`
	ResetAt   time.Time `json:"reset_at,omitzero"`
	// Budget is how many of them ciwatch allows itself in a window, Spent how many it has used in this one; answers without
	// news cost none.
	Budget int `json:"budget" jsonschema:"minimum=0"`
	Spent  int `json:"spent" jsonschema:"minimum=0"`
	// At is when this was so.
	At time.Time `json:"at,omitzero"`
}

// CIWorkflowStatus is the health of one workflow on one branch.
type CIWorkflowStatus struct {
	Forge      string `json:"forge,omitempty"`
	Repository string `json:"repository,omitempty"`
	Workflow   string `json:"workflow"`
	WorkflowID int64  `json:"workflow_id,omitempty"`
	Branch     string `json:"branch"`
	// PullRequests says that these are the runs of pull requests from that branch, which are counted by themselves.
	PullRequests bool `json:"pull_requests,omitempty"`
	// Health is one word.
	Health string `json:"health" jsonschema:"enum=healthy,enum=failing,enum=degraded,enum=recovering,enum=stale,enum=unknown"`
	// Since is when health became so.
	Since time.Time `json:"since,omitzero"`
	// ConsecutiveFailures counts failed runs in a row.
	ConsecutiveFailures int `json:"consecutive_failures" jsonschema:"minimum=0"`
	// DegradedSince is when the threshold was crossed, until it is healthy again.
	DegradedSince time.Time `json:"degraded_since,omitzero"`
	// LastRun is the last run that was counted.
	LastRun *CIRun `json:"last_run,omitempty"`
	// LastGood is the last run that passed.
	LastGood *CIRun `json:"last_good,omitempty"`
	// LastRecoveryAt is when recovery was last triggered.
	LastRecoveryAt time.Time `json:"last_recovery_at,omitzero"`
	// Recovery says how the last recovery does, for a person; empty when there was none.
	Recovery string `json:"recovery,omitempty"`
	// Flaky are the jobs that came to two conclusions on one commit in the last 30 days, the worst first, at most 20.
	Flaky []CIFlakyJob `json:"flaky,omitempty" jsonschema:"maxItems=20"`
	// Stats are the figures of the last 30 days.
	Stats *CIStats `json:"stats,omitempty"`
}

// CIStats are figures of one workflow on one branch over the last 30 days. Times are in seconds; those of which nothing is
// known are 0.
type CIStats struct {
	// Runs and Failed count the runs that passed or failed, and those that failed; FailureRate is their share, 0 to 1.
	Runs        int     `json:"runs" jsonschema:"minimum=0"`
	Failed      int     `json:"failed" jsonschema:"minimum=0"`
	FailureRate float64 `json:"failure_rate" jsonschema:"minimum=0,maximum=1"`
	// MeanTimeToRecovery is the mean time from degraded to healthy; Recoveries is how many times that was.
	MeanTimeToRecovery float64 `json:"mean_time_to_recovery_seconds" jsonschema:"minimum=0"`
	Recoveries         int     `json:"recoveries" jsonschema:"minimum=0"`
	// TimeToGreen is the mean time from the first failed run of a streak to the run that ended it.
	TimeToGreen float64 `json:"time_to_green_seconds" jsonschema:"minimum=0"`
	// Queue and run durations of the last 64 runs.
	QueueP50 float64 `json:"queue_p50_seconds" jsonschema:"minimum=0"`
	QueueP95 float64 `json:"queue_p95_seconds" jsonschema:"minimum=0"`
	RunP50   float64 `json:"run_p50_seconds" jsonschema:"minimum=0"`
	RunP95   float64 `json:"run_p95_seconds" jsonschema:"minimum=0"`
}

// CIHistoryRequest is the body of a request on ci.history: which runs were counted, and what was done.
type CIHistoryRequest struct {
	// Repository is "owner/name".
	Repository string `json:"repository" jsonschema:"minLength=1,maxLength=512"`
	// Forge, Workflow and Branch narrow what is asked for, as in [CIStatusRequest].
	Forge    string `json:"forge,omitempty" jsonschema:"maxLength=64"`
	Workflow string `json:"workflow,omitempty" jsonschema:"maxLength=256"`
	Branch   string `json:"branch,omitempty" jsonschema:"maxLength=255"`
	// Limit bounds the runs, the newest first, 1 to 1000; 0 is 100.
	Limit int `json:"limit,omitempty" jsonschema:"minimum=0,maximum=1000"`
}

// Validate checks the request's bounds. The error is an [Error] of code invalid_argument.
func (r CIHistoryRequest) Validate() error {
	return firstError(required("repository", r.Repository), CIStatusRequest{
		Forge: r.Forge, Repository: r.Repository, Workflow: r.Workflow, Branch: r.Branch, Limit: r.Limit,
	}.Validate())
}

// CIHistory is the reply of ci.history.
type CIHistory struct {
	// Runs are the runs that were counted, the newest first.
	Runs []CIPastRun `json:"runs"`
	// Recoveries are what was done, or would have been, the newest first.
	Recoveries []CIRecovery `json:"recoveries,omitempty"`
	// Days are counts by day (UTC), the newest first, at most 30.
	Days []CIDay `json:"days,omitempty" jsonschema:"maxItems=30"`
}

// CIPastRun is a run that was counted.
type CIPastRun struct {
	Workflow     string    `json:"workflow"`
	Branch       string    `json:"branch"`
	RunID        int64     `json:"run_id"`
	RunNumber    int       `json:"run_number,omitempty"`
	Attempts     int       `json:"attempts" jsonschema:"minimum=1"`
	Result       string    `json:"result" jsonschema:"enum=failed,enum=passed,enum=neither"`
	HeadSHA      string    `json:"head_sha,omitempty"`
	URL          string    `json:"url,omitempty"`
	Flaky        bool      `json:"flaky,omitempty"`
	FailedJobs   []string  `json:"failed_jobs,omitempty"`
	StartedAt    time.Time `json:"started_at,omitzero"`
	QueueSeconds float64   `json:"queue_seconds,omitempty" jsonschema:"minimum=0"`
	RunSeconds   float64   `json:"run_seconds,omitempty" jsonschema:"minimum=0"`
}

// CIDay counts one day of one workflow and branch.
type CIDay struct {
	// Day is the date in UTC, for example "2026-05-04".
	Day      string `json:"day"`
	Workflow string `json:"workflow"`
	Branch   string `json:"branch"`
	Runs     int    `json:"runs" jsonschema:"minimum=0"`
	Failed   int    `json:"failed" jsonschema:"minimum=0"`
}

// How a recovery does.
const (
	// CIRecoveryPlanned says that it is decided and about to be done; it is done once, whatever fails in between.
	CIRecoveryPlanned = "planned"
	// CIRecoveryAsked says that the forge, or whoever else is to act, was asked.
	CIRecoveryAsked = "asked"
	// CIRecoveryWorked says that the branch is green again.
	CIRecoveryWorked = "worked"
	// CIRecoveryUseless says that it failed again.
	CIRecoveryUseless = "failed"
	// CIRecoveryRefused says that the forge refused.
	CIRecoveryRefused = "refused"
	// CIRecoveryDryRun says that nothing was done, because the rule says so.
	CIRecoveryDryRun = "dry_run"
)

// CIRecovery is a recovery that was decided.
type CIRecovery struct {
	// ID names it, in events too.
	ID       string `json:"id"`
	Workflow string `json:"workflow,omitempty"`
	Branch   string `json:"branch,omitempty"`
	// Action is what is done, Rule the name of the rule by which it was decided.
	Action string `json:"action"`
	Rule   string `json:"rule,omitempty"`
	// State is one of the words.
	State string `json:"state" jsonschema:"enum=planned,enum=asked,enum=worked,enum=failed,enum=refused,enum=dry_run"`
	// Reason says why it was decided or, when it failed, why that was.
	Reason string `json:"reason,omitempty"`
	// RunID, RunAttempt and HeadSHA are of the run that was the last straw.
	RunID      int64     `json:"run_id,omitempty"`
	RunAttempt int       `json:"run_attempt,omitempty"`
	HeadSHA    string    `json:"head_sha,omitempty"`
	At         time.Time `json:"at,omitzero"`
}

// CIRecoverRequest is the body of a request on ci.recover: recover now, by the rule's action. The rule's gates hold, but for its
// threshold, cooldown and counts.
type CIRecoverRequest struct {
	// Repository is "owner/name".
	Repository string `json:"repository" jsonschema:"minLength=1,maxLength=512"`
	// Forge, Workflow and Branch say which, when there is more than one.
	Forge    string `json:"forge,omitempty" jsonschema:"maxLength=64"`
	Workflow string `json:"workflow,omitempty" jsonschema:"maxLength=256"`
	Branch   string `json:"branch,omitempty" jsonschema:"maxLength=255"`
	// DryRun asks what would be done.
	DryRun bool `json:"dry_run,omitempty"`
}

// Validate checks the request's bounds. The error is an [Error] of code invalid_argument.
func (r CIRecoverRequest) Validate() error {
	return CIHistoryRequest{Repository: r.Repository, Forge: r.Forge, Workflow: r.Workflow, Branch: r.Branch}.Validate()
}

// CIRecoverReply is the reply of ci.recover.
type CIRecoverReply struct {
	// Recovery is what is, or would be, done; nil when nothing is.
	Recovery *CIRecovery `json:"recovery,omitempty"`
	// WhyNot says why nothing is done, for a person.
	WhyNot string `json:"why_not,omitempty"`
}
