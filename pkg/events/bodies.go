package events

// Body is one entry of the catalogue of bodies: what is said on the bus beside events.
type Body struct {
	// Name is that of its JSON Schema, for example "embeddings_request".
	Name string
	// Value is a zero value of the Go type.
	Value any
	// For says what it is, in half a sentence.
	For string
}

// Bodies returns the catalogue of bodies: those of [Operations], and those that stand in streams.
func Bodies() []Body {
	return []Body{
		{"embeddings_request", EmbeddingsRequest{}, "asks for embeddings"},
		{"embeddings_response", EmbeddingsResponse{}, "answers with embeddings"},
		{"chat_request", ChatRequest{}, "asks for a completion"},
		{"chat_response", ChatResponse{}, "answers with a completion"},
		{"chat_chunk", ChatChunk{}, "is one message of a streamed completion"},
		{"endpoints_list_request", EndpointsListRequest{}, "asks for the webhook endpoints"},
		{"endpoints_list", EndpointsList{}, "lists the webhook endpoints"},
		{"endpoint_request", EndpointRequest{}, "asks for one webhook endpoint"},
		{"endpoint", Endpoint{}, "shows one webhook endpoint"},
		{"secret_request", SecretRequest{}, "asks for a secret"},
		{"secret_response", SecretResponse{}, "holds a sealed secret"},
		{"ci_status_request", CIStatusRequest{}, "asks for CI health"},
		{"ci_status", CIStatus{}, "tells CI health"},
		{"delivery_attempt", DeliveryAttempt{}, "tells what one attempt to deliver a webhook came to"},
		{"error_reply", ErrorReply{}, "says why a request failed"},
	}
}
