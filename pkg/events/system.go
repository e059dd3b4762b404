package events

// SystemEmergencyShutdown says that a service is going down because it must.
type SystemEmergencyShutdown struct {
	// Service is the service's name.
	Service string `json:"service" jsonschema:"minLength=1"`
	// Reason says why, for a person.
	Reason string `json:"reason" jsonschema:"minLength=1"`
	// Instance is the name of the replica.
	Instance string `json:"instance,omitempty"`
	// Trigger is what caused it, for a program: [TriggerMemory], [TriggerOperator], or a word of whoever else publishes the event.
	Trigger string `json:"trigger,omitempty"`
	// UsedBytes and LimitBytes are the memory that was in use, and that might have been, when memory was the trigger.
	UsedBytes  int64 `json:"used_bytes,omitempty" jsonschema:"minimum=0"`
	LimitBytes int64 `json:"limit_bytes,omitempty" jsonschema:"minimum=0"`
}

// Triggers of [SystemEmergencyShutdown] that the services have.
const (
	TriggerMemory   = "memory"
	TriggerOperator = "operator"
)

// EventType returns "system.emergency_shutdown".
func (SystemEmergencyShutdown) EventType() string { return TypeSystemEmergencyShutdown }

// Validate implements [Payload].
func (p SystemEmergencyShutdown) Validate() error {
	return firstError(required("service", p.Service), required("reason", p.Reason),
		atLeast("used_bytes", p.UsedBytes, 0), atLeast("limit_bytes", p.LimitBytes, 0))
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

// maxTrend bounds how fast memory grows or shrinks, in bytes per second.
const maxTrend = 1e18

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
	// Instance is the name of the replica.
	Instance string `json:"instance,omitempty"`
	// LimitFrom says where the limit is from: "configured", "gomemlimit" or "cgroup", or a word of whoever else publishes the event.
	LimitFrom string `json:"limit_from,omitempty"`
	// TrendBytesPerSecond is how fast the use has grown of late; negative is that it shrank.
	TrendBytesPerSecond float64 `json:"trend_bytes_per_second,omitempty" jsonschema:"minimum=-1e18,maximum=1e18"`
	// TopConsumers are the parts of the process that hold most, at most [MaxMemoryConsumers], the largest first. They are what the
	// process knows of, and do not add up to UsedBytes.
	TopConsumers []MemoryConsumer `json:"top_consumers,omitempty" jsonschema:"maxItems=5"`
}

// MaxMemoryConsumers is how many parts a [MemoryThresholdExceeded] names.
const MaxMemoryConsumers = 5

// MemoryConsumer is a part of a process that holds memory.
type MemoryConsumer struct {
	// Name is what the part is called, for example "cache emb".
	Name string `json:"name" jsonschema:"minLength=1"`
	// Bytes is about how much it holds.
	Bytes int64 `json:"bytes" jsonschema:"minimum=0"`
}

// validate checks a part.
func (c MemoryConsumer) validate() error {
	return firstError(required("top_consumers.name", c.Name), atLeast("top_consumers.bytes", c.Bytes, 0))
}

// EventType returns "memory.threshold_exceeded".
func (MemoryThresholdExceeded) EventType() string { return TypeMemoryThresholdExceeded }

// Validate implements [Payload].
func (p MemoryThresholdExceeded) Validate() error {
	if n := len(p.TopConsumers); n > MaxMemoryConsumers {
		return Errorf(CodeInvalidArgument, "top_consumers are %d; at most %d are allowed", n, MaxMemoryConsumers)
	}
	for _, c := range p.TopConsumers {
		if err := c.validate(); err != nil {
			return err
		}
	}
	return firstError(required("service", p.Service), oneOf("level", p.Level, LevelWarning, LevelCritical),
		atLeast("used_bytes", p.UsedBytes, 0), atLeast("limit_bytes", p.LimitBytes, 1), inRange("threshold", p.Threshold, minThreshold, 1),
		inRange("trend_bytes_per_second", p.TrendBytesPerSecond, -maxTrend, maxTrend))
}
