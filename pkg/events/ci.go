package events

import "time"

// CIRun identifies one attempt of one CI run and how it ended.
type CIRun struct {
	// Forge names the forge that the repository is on, as the configuration does: "github" unless it says otherwise.
	Forge string `json:"forge,omitempty"`
	// Repository is "owner/name", with more than one slash where the forge nests groups.
	Repository string `json:"repository" jsonschema:"minLength=1"`
	// Workflow is the workflow's name, for example "CI".
	Workflow string `json:"workflow" jsonschema:"minLength=1"`
	// WorkflowID is the forge's id of the workflow.
	WorkflowID int64 `json:"workflow_id,omitempty"`
	// Branch is the branch that the run was for.
	Branch string `json:"branch" jsonschema:"minLength=1"`
	// RunID is the forge's id of the run; a rerun keeps it.
	RunID int64 `json:"run_id" jsonschema:"minimum=1"`
	// RunAttempt counts the attempts of the run, from 1.
	RunAttempt int `json:"run_attempt" jsonschema:"minimum=1"`
	// RunNumber counts the runs of the workflow, from 1.
	RunNumber int `json:"run_number,omitempty" jsonschema:"minimum=0"`
	// Conclusion is GitHub's word: success, failure, timed_out, startup_failure, cancelled, …
	Conclusion string `json:"conclusion" jsonschema:"minLength=1"`
	// Event is what started the run, in the forge's word: push, schedule, pull_request, …
	Event string `json:"event,omitempty"`
	// HeadSHA is the commit, Title the first line of what it says, and Author the login of who started the run.
	HeadSHA string `json:"head_sha,omitempty"`
	Title   string `json:"title,omitempty"`
	Author  string `json:"author,omitempty"`
	// URL shows the run to a person.
	URL string `json:"url,omitempty"`
	// StartedAt and CompletedAt are when the attempt started and ended.
	StartedAt   time.Time `json:"started_at,omitzero"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	// DurationSeconds is the attempt's length in seconds, 0 or more.
	DurationSeconds float64 `json:"duration_seconds,omitempty" jsonschema:"minimum=0,maximum=3162240000"`
	// FailedJobs are the jobs that failed, at most 20, when they are known.
	FailedJobs []CIJob `json:"failed_jobs,omitempty" jsonschema:"maxItems=20"`
}

// Bounds of what a [CIRun] tells of its failed jobs.
const (
	MaxCIJobs  = 20
	MaxCISteps = 20
)

// CIJob is a job of a run that failed.
type CIJob struct {
	// Name is the job's name, for example "test (1.26, linux)".
	Name string `json:"name" jsonschema:"minLength=1"`
	// Conclusion is the forge's word: failure, timed_out, …
	Conclusion string `json:"conclusion,omitempty"`
	// FailedSteps are the names of the steps that failed, at most 20, in their order.
	FailedSteps []string `json:"failed_steps,omitempty" jsonschema:"maxItems=20"`
	// URL shows the job to a person.
	URL string `json:"url,omitempty"`
}

// validate checks the identifying fields.
func (r CIRun) validate() error {
	return firstError(
		required("repository", r.Repository), required("workflow", r.Workflow), required("branch", r.Branch),
		required("conclusion", r.Conclusion), atLeast("run_id", r.RunID, 1), atLeast("run_attempt", int64(r.RunAttempt), 1),
		atLeast("run_number", int64(r.RunNumber), 0), inRange("duration_seconds", r.DurationSeconds, 0, maxSeconds), r.validateJobs(),
	)
}

// validateJobs checks the failed jobs.
func (r CIRun) validateJobs() error {
	if len(r.FailedJobs) > MaxCIJobs {
		return Errorf(CodeInvalidArgument, "failed_jobs has %d entries; at most %d are allowed", len(r.FailedJobs), MaxCIJobs)
	}
	for _, job := range r.FailedJobs {
		if err := required("failed_jobs.name", job.Name); err != nil {
			return err
		}
		if len(job.FailedSteps) > MaxCISteps {
			return Errorf(CodeInvalidArgument, "failed_steps of %q has %d entries; at most %d are allowed", job.Name, len(job.FailedSteps), MaxCISteps)
		}
	}
	return nil
}

// CIRunFailed says that a run ended without success.
type CIRunFailed struct {
	CIRun
	// ConsecutiveFailures counts failed runs in a row, this one included; at least 1.
	ConsecutiveFailures int `json:"consecutive_failures" jsonschema:"minimum=1"`
}

// EventType returns "ci.run_failed".
func (CIRunFailed) EventType() string { return TypeCIRunFailed }

// Validate implements [Payload].
func (p CIRunFailed) Validate() error {
	return firstError(p.validate(), atLeast("consecutive_failures", int64(p.ConsecutiveFailures), 1))
}

// CIRunSucceeded says that a run ended with success.
type CIRunSucceeded struct {
	CIRun
}

// EventType returns "ci.run_succeeded".
func (CIRunSucceeded) EventType() string { return TypeCIRunSucceeded }

// Validate implements [Payload].
func (p CIRunSucceeded) Validate() error { return p.validate() }

// CIDegraded says that the number of failed runs in a row reached the threshold.
type CIDegraded struct {
	CIRun
	// ConsecutiveFailures counts failed runs in a row, at least Threshold.
	ConsecutiveFailures int `json:"consecutive_failures" jsonschema:"minimum=1"`
	// Threshold is the configured number of failures at which health is degraded; at least 1.
	Threshold int `json:"threshold" jsonschema:"minimum=1"`
	// FirstFailedRunID is the run with which the streak began.
	FirstFailedRunID int64 `json:"first_failed_run_id,omitempty"`
}

// EventType returns "ci.degraded".
func (CIDegraded) EventType() string { return TypeCIDegraded }

// Validate implements [Payload].
func (p CIDegraded) Validate() error {
	return firstError(p.validate(), atLeast("threshold", int64(p.Threshold), 1),
		atLeast("consecutive_failures", int64(p.ConsecutiveFailures), int64(p.Threshold)))
}

// CIRecovered says that a run succeeded after health had been degraded.
type CIRecovered struct {
	CIRun
	// FailedRuns counts the failed runs of the streak that ended.
	FailedRuns int `json:"failed_runs" jsonschema:"minimum=1"`
	// DegradedSince is when the threshold was crossed.
	DegradedSince time.Time `json:"degraded_since,omitzero"`
	// RecoveryID is that of the last recovery that was asked for in between, if any was.
	RecoveryID string `json:"recovery_id,omitempty"`
}

// EventType returns "ci.recovered".
func (CIRecovered) EventType() string { return TypeCIRecovered }

// Validate implements [Payload].
func (p CIRecovered) Validate() error {
	return firstError(p.validate(), atLeast("failed_runs", int64(p.FailedRuns), 1))
}

// CIFlaky says that the same commit failed and then passed.
type CIFlaky struct {
	CIRun
	// FailedAttempt is the earlier attempt that failed; 0 when it was another run of the same commit.
	FailedAttempt int `json:"failed_attempt,omitempty" jsonschema:"minimum=0"`
	// FailedRunID is the run that failed.
	FailedRunID int64 `json:"failed_run_id" jsonschema:"minimum=1"`
	// Jobs are those that failed and passed on the commit, at most 20, when they are known.
	Jobs []CIFlakyJob `json:"jobs,omitempty" jsonschema:"maxItems=20"`
}

// CIFlakyJob is a job that came to two conclusions on one commit.
type CIFlakyJob struct {
	// Name is the job's name.
	Name string `json:"name" jsonschema:"minLength=1"`
	// Rate is the share of the last 30 days' commits on which it did so, 0 to 1.
	Rate float64 `json:"rate" jsonschema:"minimum=0,maximum=1"`
	// Flakes and Commits are what Rate is made of.
	Flakes  int `json:"flakes" jsonschema:"minimum=0"`
	Commits int `json:"commits" jsonschema:"minimum=0"`
}

// EventType returns "ci.flaky".
func (CIFlaky) EventType() string { return TypeCIFlaky }

// Validate implements [Payload].
func (p CIFlaky) Validate() error {
	return firstError(p.validate(), required("head_sha", p.HeadSHA), atLeast("failed_run_id", p.FailedRunID, 1),
		atLeast("failed_attempt", int64(p.FailedAttempt), 0), p.validateJobs())
}

// validateJobs checks the flaky jobs.
func (p CIFlaky) validateJobs() error {
	if len(p.Jobs) > MaxCIJobs {
		return Errorf(CodeInvalidArgument, "jobs has %d entries; at most %d are allowed", len(p.Jobs), MaxCIJobs)
	}
	for _, job := range p.Jobs {
		if err := firstError(required("jobs.name", job.Name), inRange("jobs.rate", job.Rate, 0, 1)); err != nil {
			return err
		}
	}
	return nil
}

// CIStale says that a watched workflow has had no run for longer than its rule allows.
type CIStale struct {
	// CIRun is the last run.
	CIRun
	// AfterSeconds is how long a workflow may be without a run.
	AfterSeconds float64 `json:"after_seconds" jsonschema:"minimum=1,maximum=3162240000"`
}

// EventType returns "ci.stale".
func (CIStale) EventType() string { return TypeCIStale }

// Validate implements [Payload].
func (p CIStale) Validate() error {
	return firstError(p.validate(), inRange("after_seconds", p.AfterSeconds, 1, maxSeconds))
}

// CIRecoveryFailed says that a recovery was asked for and did not make the branch green.
type CIRecoveryFailed struct {
	// CIRun is the run that failed all the same or, when nothing ran, the one that was to be recovered.
	CIRun
	// RecoveryID, Action and Rule are those of the recovery (see [SystemRecoveryTriggered]).
	RecoveryID string `json:"recovery_id" jsonschema:"minLength=1"`
	Action     string `json:"action" jsonschema:"minLength=1"`
	Rule       string `json:"rule,omitempty"`
	// Reason says what went wrong, for a person.
	Reason string `json:"reason" jsonschema:"minLength=1"`
}

// EventType returns "ci.recovery_failed".
func (CIRecoveryFailed) EventType() string { return TypeCIRecoveryFailed }

// Validate implements [Payload].
func (p CIRecoveryFailed) Validate() error {
	return firstError(p.validate(), required("recovery_id", p.RecoveryID), required("action", p.Action), required("reason", p.Reason))
}
