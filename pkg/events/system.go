package events

// SystemEmergencyShutdown says that a service is going down because it must.
type SystemEmergencyShutdown struct {
	// Service is the service's name.
	Service string `json:"service" jsonschema:"minLength=1"`
	// Reason says why, for a person.
	Reason string `json:"reason" jsonschema:"minLength=1"`
}

// EventType returns "system.emergency_shutdown".
func (SystemEmergencyShutdown) EventType() string { return TypeSystemEmergencyShutdown }

// Validate implements [Payload].
func (p SystemEmergencyShutdown) Validate() error {
	return firstError(required("service", p.Service), required("reason", p.Reason))
}

// SystemRecoveryTriggered says that a recovery was started, and by what.
type SystemRecoveryTriggered struct {
	// Trigger is what started it, for example "ci.degraded".
	Trigger string `json:"trigger" jsonschema:"minLength=1"`
	// Action is what is done, for example "notify".
	Action string `json:"action" jsonschema:"minLength=1"`
	// Reason says why, for a person.
	Reason string `json:"reason,omitempty"`
	// Repository, Workflow, Branch and RunID say which CI run was the last straw, when CI was the trigger.
	Repository string `json:"repository,omitempty"`
	Workflow   string `json:"workflow,omitempty"`
	Branch     string `json:"branch,omitempty"`
	RunID      int64  `json:"run_id,omitempty" jsonschema:"minimum=0"`
	// ConsecutiveFailures counts the failed runs in a row.
	ConsecutiveFailures int `json:"consecutive_failures,omitempty" jsonschema:"minimum=0"`
	// CooldownSeconds is how long no other recovery starts, in seconds.
	CooldownSeconds float64 `json:"cooldown_seconds,omitempty" jsonschema:"minimum=0,maximum=3162240000"`
	// RecoveryID names this recovery: what comes of it says so.
	RecoveryID string `json:"recovery_id,omitempty"`
	// Rule is the name of the rule by which it was decided.
	Rule string `json:"rule,omitempty"`
	// DryRun says that nothing was done: Action is what would have been.
	DryRun bool `json:"dry_run,omitempty"`
	// Forge, RunAttempt, HeadSHA and URL say more of the run.
	Forge      string `json:"forge,omitempty"`
	RunAttempt int    `json:"run_attempt,omitempty" jsonschema:"minimum=0"`
	HeadSHA    string `json:"head_sha,omitempty"`
	URL        string `json:"url,omitempty"`
}

// EventType returns "system.recovery_triggered".
func (SystemRecoveryTriggered) EventType() string { return TypeSystemRecoveryTriggered }

// Validate implements [Payload].
func (p SystemRecoveryTriggered) Validate() error {
	return firstError(required("trigger", p.Trigger), required("action", p.Action), atLeast("run_id", p.RunID, 0),
		atLeast("consecutive_failures", int64(p.ConsecutiveFailures), 0), inRange("cooldown_seconds", p.CooldownSeconds, 0, maxSeconds))
}

// minThreshold is the least share of a limit that makes sense as a threshold.
const minThreshold = 0.001

// Levels of [MemoryThresholdExceeded].
const (
	LevelWarning  = "warning"
	LevelCritical = "critical"
)

// MemoryThresholdExceeded says that a process's memory passed a threshold.
type MemoryThresholdExceeded struct {
	// Service is the service's name.
	Service string `json:"service" jsonschema:"minLength=1"`
	// Level is "warning" or "critical".
	Level string `json:"level" jsonschema:"enum=warning,enum=critical"`
	// UsedBytes is what is in use.
	UsedBytes int64 `json:"used_bytes" jsonschema:"minimum=0"`
	// LimitBytes is what may be used.
	LimitBytes int64 `json:"limit_bytes" jsonschema:"minimum=1"`
	// Threshold is the share of the limit that was passed: 0.001 to 1.
	Threshold float64 `json:"threshold" jsonschema:"minimum=0.001,maximum=1"`
}

// EventType returns "memory.threshold_exceeded".
func (MemoryThresholdExceeded) EventType() string { return TypeMemoryThresholdExceeded }

// Validate implements [Payload].
func (p MemoryThresholdExceeded) Validate() error {
	return firstError(required("service", p.Service), oneOf("level", p.Level, LevelWarning, LevelCritical),
		atLeast("used_bytes", p.UsedBytes, 0), atLeast("limit_bytes", p.LimitBytes, 1), inRange("threshold", p.Threshold, minThreshold, 1))
}
