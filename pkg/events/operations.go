package events

// Operation is one entry of the catalogue of interactive subjects: what can be asked for, and what is answered.
type Operation struct {
	// Name is the subject below the prefix, and below mlsdm.as.<caller>: "embed", "ci.status".
	Name string
	// Service answers it.
	Service string
	// CallerOnly marks operations that exist only under a caller's name.
	CallerOnly bool
	// Request and Response are zero values of the bodies.
	Request, Response any
	// Streams marks operations that can answer in chunks.
	Streams bool
	// Does says what it does, in one line.
	Does string
}

// Names of the operations.
const (
	OpEmbed         = "embed"
	OpEmbedJob      = "embeddings.job"
	OpEmbedVectors  = "embeddings.vectors"
	OpGenerate      = "generate"
	OpModels        = "models"
	OpEndpointsList = "webhooks.endpoints.list"
	OpEndpointsGet  = "webhooks.endpoints.get"

	OpEndpointsCreate = "webhooks.endpoints.create"
	OpEndpointsUpdate = "webhooks.endpoints.update"
	OpEndpointsDelete = "webhooks.endpoints.delete"
	OpEndpointsRotate = "webhooks.endpoints.rotate"
	OpEndpointsTest   = "webhooks.endpoints.test"

	OpDeliveriesList   = "webhooks.deliveries.list"
	OpDeliveriesGet    = "webhooks.deliveries.get"
	OpDeliveriesReplay = "webhooks.deliveries.replay"

	OpSecretsGet     = "secrets.get"
	OpSecretsList    = "secrets.list"
	OpSecretsRefresh = "secrets.refresh"

	OpCIStatus  = "ci.status"
	OpCICheck   = "ci.check"
	OpCIHistory = "ci.history"
	OpCIRecover = "ci.recover"
)

// Operations returns the catalogue of interactive subjects.
func Operations() []Operation {
	return []Operation{
		{OpEmbed, ServiceEmbedder, false, EmbeddingsRequest{}, EmbeddingsResponse{}, false, "turns texts into vectors (OpenAI embeddings)"},
		{OpEmbedJob, ServiceEmbedder, false, EmbeddingsJobRequest{}, EmbeddingsJob{}, false, "tells how far a durable embeddings request has come"},
		{OpEmbedVectors, ServiceEmbedder, false, VectorsRequest{}, VectorsPiece{}, false, "gives a piece of vectors that are too many for one reply"},
		{OpGenerate, ServiceGenerator, false, ChatRequest{}, ChatResponse{}, true, "answers a conversation or a prompt (OpenAI chat completions)"},
		{OpModels, ServiceGenerator, false, ModelsRequest{}, ModelsList{}, false, "lists the models: which can answer now, at what price, with what limits left"},
		{OpEndpointsList, ServiceDispatcher, false, EndpointsListRequest{}, EndpointsList{}, false, "lists the webhook endpoints"},
		{OpEndpointsGet, ServiceDispatcher, false, EndpointRequest{}, Endpoint{}, false, "shows one webhook endpoint"},
		{OpEndpointsCreate, ServiceDispatcher, false, EndpointCreateRequest{}, EndpointChanged{}, false, "makes a webhook endpoint"},
		{OpEndpointsUpdate, ServiceDispatcher, false, EndpointUpdateRequest{}, EndpointChanged{}, false, "changes a webhook endpoint"},
		{OpEndpointsDelete, ServiceDispatcher, false, EndpointDeleteRequest{}, EndpointDeleted{}, false, "removes a webhook endpoint"},
		{OpEndpointsRotate, ServiceDispatcher, false, EndpointRotateRequest{}, EndpointChanged{}, false, "gives a webhook endpoint a new signing key"},
		{OpEndpointsTest, ServiceDispatcher, false, EndpointRequest{}, DeliveryAttempt{}, false, "posts a signed test webhook now and tells what came of it"},
		{OpDeliveriesList, ServiceDispatcher, false, DeliveriesListRequest{}, DeliveriesList{}, false, "lists attempts to deliver webhooks, and dead letters"},
		{OpDeliveriesGet, ServiceDispatcher, false, DeliveryRequest{}, DeliveryDetail{}, false, "shows one delivery with all its attempts"},
		{OpDeliveriesReplay, ServiceDispatcher, false, ReplayRequest{}, ReplayReply{}, false, "delivers dead letters or events again, a page at a time"},
		{OpSecretsGet, ServiceSecretd, true, SecretRequest{}, SecretResponse{}, false, "gives a secret, sealed to the caller's one-time key"},
		{OpSecretsList, ServiceSecretd, true, SecretsListRequest{}, SecretsList{}, false, "tells which secrets the caller may have, without their values"},
		{OpSecretsRefresh, ServiceSecretd, true, SecretsRefreshRequest{}, SecretsRefreshed{}, false, "asks the stores for a secret now, for everybody"},
		{OpCIStatus, ServiceCIWatch, false, CIStatusRequest{}, CIStatus{}, false, "tells CI health as last seen"},
		{OpCICheck, ServiceCIWatch, false, CIStatusRequest{}, CIStatus{}, false, "asks the forges now, then tells CI health"},
		{OpCIHistory, ServiceCIWatch, false, CIHistoryRequest{}, CIHistory{}, false, "tells which CI runs were counted, and what was done"},
		{OpCIRecover, ServiceCIWatch, false, CIRecoverRequest{}, CIRecoverReply{}, false, "recovers a workflow now, or tells what would be done"},
	}
}
