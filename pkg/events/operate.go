package events

import "unicode/utf8"

// Verbs of [Subjects.Control].
const (
	// ControlLogLevel takes a [LogLevelRequest] and is answered with a [LogLevelReply].
	ControlLogLevel = "log_level"
	// ControlShutdown takes a [ShutdownRequest] and is answered with a [ShutdownReply].
	ControlShutdown = "shutdown"
)

// MaxReason is how long the reason of a shutdown may be, in bytes.
const MaxReason = 1024

// LogLevelRequest asks every replica of a service which level it logs, or to log another from now on until it ends.
type LogLevelRequest struct {
	// Level is "debug", "info", "warn" or "error"; without one nothing is changed.
	Level string `json:"level,omitempty"`
	// Instance is the one replica that is meant; without one all are.
	Instance string `json:"instance,omitempty"`
}

// Validate checks the request. Its errors are of code invalid_argument.
func (r LogLevelRequest) Validate() error {
	if r.Level == "" {
		return nil
	}
	return oneOf("level", r.Level, "debug", "info", "warn", "error")
}

// LogLevelReply is what a replica logs now.
type LogLevelReply struct {
	// Service is the service's name, and Instance that of the replica.
	Service  string `json:"service"`
	Instance string `json:"instance"`
	// Level is the least level that is logged, and Before what it was.
	Level  string `json:"level"`
	Before string `json:"before"`
}

// ShutdownRequest asks the replicas of a service to publish system.emergency_shutdown and to end.
type ShutdownRequest struct {
	// Reason says why, for a person: 1 to [MaxReason] bytes.
	Reason string `json:"reason"`
	// Instance is the one replica that is meant; without one all are.
	Instance string `json:"instance,omitempty"`
}

// Validate checks the request. Its errors are of code invalid_argument.
func (r ShutdownRequest) Validate() error {
	if len(r.Reason) > MaxReason || !utf8.ValidString(r.Reason) {
		return Errorf(CodeInvalidArgument, "reason is longer than %d bytes, or not UTF-8", MaxReason)
	}
	return required("reason", r.Reason)
}

// ShutdownReply is what a replica answers when its event is stored, or lies in its spool, and before it ends.
type ShutdownReply struct {
	// Service is the service's name, and Instance that of the replica.
	Service  string `json:"service"`
	Instance string `json:"instance"`
	// EventID is the id of its system.emergency_shutdown, and Stored whether the stream has it already.
	EventID string `json:"event_id"`
	Stored  bool   `json:"stored"`
	// Others are the other services of the same process, which end with it.
	Others []string `json:"others,omitempty"`
}
