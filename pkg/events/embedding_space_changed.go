package events

// EmbeddingSpaceChanged says that a model answers with vectors that cannot be compared with those it gave before, and that it is
// refused until the operator agrees.
type EmbeddingSpaceChanged struct {
	// Model is the model as the operator knows it, and Provider who answered, as "provider/model".
	Model    string `json:"model" jsonschema:"minLength=1"`
	Provider string `json:"provider,omitempty"`
	// Pinned is the length of the vectors until now, and Seen the one that was answered.
	Pinned int `json:"pinned" jsonschema:"minimum=1"`
	Seen   int `json:"seen" jsonschema:"minimum=1"`
	// PinnedModel is which model the server said until now that it has, and SeenModel which one it says now, in the words of the server;
	// only when that is what has changed. Pinned and Seen may be the same then.
	PinnedModel string `json:"pinned_model,omitempty"`
	SeenModel   string `json:"seen_model,omitempty"`
}

// EventType returns "embedding.space_changed".
func (EmbeddingSpaceChanged) EventType() string { return TypeEmbeddingSpaceChanged }

// Validate implements [Payload].
func (p EmbeddingSpaceChanged) Validate() error {
	return firstError(required("model", p.Model), atLeast("pinned", int64(p.Pinned), 1), atLeast("seen", int64(p.Seen), 1))
}
