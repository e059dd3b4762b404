package events

// Stages at which the moral filter decides.
const (
	StagePrompt     = "prompt"
	StageCompletion = "completion"
)

// MoralFilterReject says that the moral filter refused a content.
type MoralFilterReject struct {
	// RequestID is the request that the content belongs to.
	RequestID string `json:"request_id,omitempty"`
	// Caller is who asked.
	Caller string `json:"caller,omitempty"`
	// Model is the model that was asked, as "provider/model".
	Model string `json:"model,omitempty"`
	// Stage is "prompt" or "completion".
	Stage string `json:"stage" jsonschema:"enum=prompt,enum=completion"`
	// Score is the filter's value of the content, 0 (worst) to 1.
	Score float64 `json:"score" jsonschema:"minimum=0,maximum=1"`
	// Threshold is the least score that passes, 0 to 1.
	Threshold float64 `json:"threshold" jsonschema:"minimum=0,maximum=1"`
	// Reason says why, for a person; never the content itself.
	Reason string `json:"reason,omitempty"`
	// Categories names what was found, for example "violence".
	Categories []string `json:"categories,omitempty"`
	// Text is what was judged; only where the operator wants it in events.
	Text string `json:"text,omitempty"`
}

// EventType returns "moral_filter.reject".
func (MoralFilterReject) EventType() string { return TypeMoralFilterReject }

// Validate implements [Payload].
func (p MoralFilterReject) Validate() error {
	return firstError(oneOf("stage", p.Stage, StagePrompt, StageCompletion), inRange("score", p.Score, 0, 1), inRange("threshold", p.Threshold, 0, 1))
}

// MoralFilterAccept says that the moral filter let a content pass.
type MoralFilterAccept struct {
	// RequestID is the request that the content belongs to.
	RequestID string `json:"request_id,omitempty"`
	// Caller is who asked.
	Caller string `json:"caller,omitempty"`
	// Model is the model that was asked, as "provider/model".
	Model string `json:"model,omitempty"`
	// Stage is "prompt" or "completion".
	Stage string `json:"stage" jsonschema:"enum=prompt,enum=completion"`
	// Score is the filter's value of the content, 0 (worst) to 1.
	Score float64 `json:"score" jsonschema:"minimum=0,maximum=1"`
	// Threshold is the least score that passes, 0 to 1.
	Threshold float64 `json:"threshold" jsonschema:"minimum=0,maximum=1"`
	// Reason says why, for a person; never the content itself.
	Reason string `json:"reason,omitempty"`
	// Categories names what was found nevertheless.
	Categories []string `json:"categories,omitempty"`
	// Text is what was judged; only where the operator wants it in events.
	Text string `json:"text,omitempty"`
}

// EventType returns "moral_filter.accept".
func (MoralFilterAccept) EventType() string { return TypeMoralFilterAccept }

// Validate implements [Payload].
func (p MoralFilterAccept) Validate() error {
	return firstError(oneOf("stage", p.Stage, StagePrompt, StageCompletion), inRange("score", p.Score, 0, 1), inRange("threshold", p.Threshold, 0, 1))
}
