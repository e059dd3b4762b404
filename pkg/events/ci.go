package events

import "time"

// CIRun identifies one attempt of one CI run and how it ended.
type CIRun struct {
	// Repository is "owner/name".
	Repository string `json:"repository" jsonschema:"minLength=1"`
	// Workflow is the workflow's name, for example "CI".
	Workflow string `json:"workflow" jsonschema:"minLength=1"`
	// WorkflowID is GitHub's id of the workflow.
	WorkflowID int64 `json:"workflow_id,omitempty"`
	// Branch is the branch that the run was for.
	Branch string `json:"branch" jsonschema:"minLength=1"`
	// RunID is GitHub's id of the run; a rerun keeps it.
	RunID int64 `json:"run_id" jsonschema:"minimum=1"`
	// RunAttempt counts the attempts of the run, from 1.
	RunAttempt int `json:"run_attempt" jsonschema:"minimum=1"`
	// RunNumber counts the runs of the workflow, from 1.
	RunNumber int `json:"run_number,omitempty" jsonschema:"minimum=0"`
	// Conclusion is GitHub's word: success, failure, timed_out, startup_failure, cancelled, …
	Conclusion string `json:"conclusion" jsonschema:"minLength=1"`
	// HeadSHA is the commit.
	HeadSHA string `json:"head_sha,omitempty"`
	// URL shows the run to a person.
	URL string `json:"url,omitempty"`
	// StartedAt and CompletedAt are when the attempt started and ended.
	StartedAt   time.Time `json:"started_at,omitzero"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	// DurationSeconds is the attempt's length in seconds, 0 or more.
	DurationSeconds float64 `json:"duration_seconds,omitempty" jsonschema:"minimum=0,maximum=3162240000"`
}

// validate checks the identifying fields.
func (r CIRun) validate() error {
	return firstError(
		required("repository", r.Repository), required("workflow", r.Workflow), required("branch", r.Branch),
		required("conclusion", r.Conclusion), atLeast("run_id", r.RunID, 1), atLeast("run_attempt", int64(r.RunAttempt), 1),
		atLeast("run_number", int64(r.RunNumber), 0), inRange("duration_seconds", r.DurationSeconds, 0, maxSeconds),
	)
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
}

// EventType returns "ci.flaky".
func (CIFlaky) EventType() string { return TypeCIFlaky }

// Validate implements [Payload].
func (p CIFlaky) Validate() error {
	return firstError(p.validate(), required("head_sha", p.HeadSHA), atLeast("failed_run_id", p.FailedRunID, 1),
		atLeast("failed_attempt", int64(p.FailedAttempt), 0))
}
