package events

import "time"

// CI health in one word.
const (
	CIHealthy        = "healthy"
	CIDegradedHealth = "degraded"
	CIUnknown        = "unknown"
)

// CIStatusRequest is the body of a request on ci.status and ci.check; it has no fields yet.
type CIStatusRequest struct{}

// CIStatus is the reply of ci.status and ci.check.
type CIStatus struct {
	// Repository is "owner/name".
	Repository string `json:"repository"`
	// Workflows is the health of each watched workflow and branch, ordered by workflow.
	Workflows []CIWorkflowStatus `json:"workflows"`
	// LastPollAt is when GitHub last answered.
	LastPollAt time.Time `json:"last_poll_at,omitzero"`
	// LastError says why the last poll failed; empty when it did not.
	LastError string `json:"last_error,omitempty"`
}

// CIWorkflowStatus is the health of one workflow on one branch.
type CIWorkflowStatus struct {
	Workflow string `json:"workflow"`
	Branch   string `json:"branch"`
	// Health is healthy, degraded or unknown.
	Health string `json:"health" jsonschema:"enum=healthy,enum=degraded,enum=unknown"`
	// ConsecutiveFailures counts failed runs in a row.
	ConsecutiveFailures int `json:"consecutive_failures" jsonschema:"minimum=0"`
	// DegradedSince is when the threshold was crossed, while health is degraded.
	DegradedSince time.Time `json:"degraded_since,omitzero"`
	// LastRun is the last run that was counted.
	LastRun *CIRun `json:"last_run,omitempty"`
	// LastRecoveryAt is when recovery was last triggered.
	LastRecoveryAt time.Time `json:"last_recovery_at,omitzero"`
}
