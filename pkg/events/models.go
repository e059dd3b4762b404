package events

// ObjectModel is the value of the field object of a [Model].
const ObjectModel = "model"

// ModelsRequest is the body of a request on the models subject.
type ModelsRequest struct {
	// Provider asks for the models of one provider; empty asks for all.
	Provider string `json:"provider,omitempty"`
}

// Validate implements [Payload] but for the event type: it checks what can be known without looking.
func (r ModelsRequest) Validate() error {
	if len(r.Provider) > MaxIDLength {
		return Errorf(CodeInvalidArgument, "provider has %d bytes; at most %d are allowed", len(r.Provider), MaxIDLength)
	}
	return nil
}

// ModelsList is OpenAI's list of models: those that can answer now come first.
type ModelsList struct {
	// Object is always "list".
	Object string  `json:"object"`
	Data   []Model `json:"data"`
	// Errors says, by provider, why its models could not be asked for; what is configured of them is listed all the same.
	Errors map[string]string `json:"errors,omitempty"`
}

// Model is one model that the generator knows, or an alias of several.
type Model struct {
	// ID is what a request gives as its model: "provider/model", or the name of an alias. A provider that takes any name is listed
	// as "provider/*" when it does not tell its models.
	ID string `json:"id"`
	// Object is always "model".
	Object string `json:"object"`
	// Created is 0: nobody knows it of all models. It is there because clients of OpenAI's want it.
	Created int64 `json:"created"`
	// OwnedBy is the provider; "alias" for an alias.
	OwnedBy string `json:"owned_by"`
	// Default marks the model of requests that name none.
	Default bool `json:"default,omitempty"`
	// Available says whether a request could be sent now.
	Available bool `json:"available"`
	// Reason says why not.
	Reason string `json:"reason,omitempty"`
	// RetryAfterMS is when it may be available again, in milliseconds from now; 0 when nothing is known.
	RetryAfterMS int64 `json:"retry_after_ms,omitempty" jsonschema:"minimum=0"`
	// Targets are what an alias stands for, in the order in which they are tried: one list a tier.
	Targets [][]ModelTarget `json:"targets,omitempty"`
	// Price is what it costs, if the price table says.
	Price *ModelPrice `json:"price,omitempty"`
	// Limits are what the caller has left.
	Limits []ModelLimit `json:"limits,omitempty"`
}

// ModelTarget is one of the models that an alias stands for.
type ModelTarget struct {
	// Model is "provider/model".
	Model string `json:"model"`
	// Weight is its share among those of its tier.
	Weight int `json:"weight"`
}

// ModelPrice is the price of a million tokens, in the currency of the price table.
type ModelPrice struct {
	Input       float64 `json:"input" jsonschema:"minimum=0"`
	Output      float64 `json:"output" jsonschema:"minimum=0"`
	CachedInput float64 `json:"cached_input,omitempty" jsonschema:"minimum=0"`
	// Version is that of the table.
	Version string `json:"version,omitempty"`
}

// ModelLimit is one limit and what is left of it.
type ModelLimit struct {
	// What is requests_per_minute, tokens_per_minute or cost_per_day.
	What string `json:"what"`
	// Limit and Left are in the unit of What; Left is as last seen, and other replicas may have used some of it since.
	Limit float64 `json:"limit"`
	Left  float64 `json:"left"`
	// ResetMS is when it starts anew, in milliseconds from now.
	ResetMS int64 `json:"reset_ms"`
}
