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
		{"embeddings_job_request", EmbeddingsJobRequest{}, "asks how far a durable request has come"},
		{"embeddings_job", EmbeddingsJob{}, "tells how far a durable request has come"},
		{"vectors_request", VectorsRequest{}, "asks for a piece of many vectors"},
		{"vectors_piece", VectorsPiece{}, "holds a piece of many vectors"},
		{"chat_request", ChatRequest{}, "asks for a completion"},
		{"chat_response", ChatResponse{}, "answers with a completion"},
		{"chat_chunk", ChatChunk{}, "is one message of a streamed completion"},
		{"stream_control", StreamControl{}, "acknowledges chunks of a stream, or ends it"},
		{"models_request", ModelsRequest{}, "asks which models there are"},
		{"models_list", ModelsList{}, "lists the models"},
		{"endpoints_list_request", EndpointsListRequest{}, "asks for the webhook endpoints"},
		{"endpoints_list", EndpointsList{}, "lists the webhook endpoints"},
		{"endpoint_request", EndpointRequest{}, "asks for one webhook endpoint"},
		{"endpoint", Endpoint{}, "shows one webhook endpoint"},
		{"endpoint_create_request", EndpointCreateRequest{}, "asks for a new webhook endpoint"},
		{"endpoint_update_request", EndpointUpdateRequest{}, "asks for a change of a webhook endpoint"},
		{"endpoint_delete_request", EndpointDeleteRequest{}, "asks for the end of a webhook endpoint"},
		{"endpoint_rotate_request", EndpointRotateRequest{}, "asks for a new signing key"},
		{"endpoint_changed", EndpointChanged{}, "tells what a webhook endpoint is after a change"},
		{"endpoint_deleted", EndpointDeleted{}, "tells that a webhook endpoint is gone"},
		{"deliveries_list_request", DeliveriesListRequest{}, "asks for deliveries"},
		{"deliveries_list", DeliveriesList{}, "lists deliveries"},
		{"delivery_request", DeliveryRequest{}, "asks for one delivery"},
		{"delivery_detail", DeliveryDetail{}, "shows one delivery with its attempts"},
		{"replay_request", ReplayRequest{}, "asks for deliveries to be made again"},
		{"replay_reply", ReplayReply{}, "tells how far a replay came"},
		{"secret_request", SecretRequest{}, "asks for a secret"},
		{"secret_response", SecretResponse{}, "holds a sealed secret"},
		{"secret_envelope", SecretEnvelope{}, "is what the seal of a secret holds"},
		{"secrets_list_request", SecretsListRequest{}, "asks which secrets the caller may have"},
		{"secrets_list", SecretsList{}, "tells of secrets, without their values"},
		{"secrets_refresh_request", SecretsRefreshRequest{}, "asks for a secret to be read anew"},
		{"secrets_refreshed", SecretsRefreshed{}, "tells what a secret is after that"},
		{"secret_access", SecretAccess{}, "records who asked for which secret"},
		{"ci_status_request", CIStatusRequest{}, "asks for CI health"},
		{"ci_status", CIStatus{}, "tells CI health"},
		{"ci_history_request", CIHistoryRequest{}, "asks which CI runs were counted"},
		{"ci_history", CIHistory{}, "tells which CI runs were counted"},
		{"ci_recover_request", CIRecoverRequest{}, "asks for a recovery"},
		{"ci_recover_reply", CIRecoverReply{}, "tells what is done, or why nothing is"},
		{"delivery_attempt", DeliveryAttempt{}, "tells what one attempt to deliver a webhook came to"},
		{"error_reply", ErrorReply{}, "says why a request failed"},
	}
}
